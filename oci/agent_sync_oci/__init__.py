"""OCI artifacts, for programs that have never heard of agents: digests, media types, the image layout.

Values go in (bytes, references), values and verified bytes come out. Nothing here knows what a source, a lock or a
tool is.
"""
