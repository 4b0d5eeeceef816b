"""Bundles: a lock and every blob that it needs, as OCI artifacts in a registry, an image layout or an archive.

`push` writes a lock and its cached blobs as one index, and signs it if asked. `pull` verifies the bundle that a
reference names, and adds its blobs to the cache. The format is described in `oci/README.md`.
"""
