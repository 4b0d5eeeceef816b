"""Media types of the OCI image specification that an image layout needs."""

from __future__ import annotations

IMAGE_INDEX = "application/vnd.oci.image.index.v1+json"
