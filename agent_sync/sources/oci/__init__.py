"""OCI sources: an artifact fetched by digest, its layers laid over each other."""
