"""Bundles: a lock and every blob that it needs, as OCI artifacts in a registry, an image layout or an archive.

A lock and the cache go in and a signed index comes out (`push`); a reference goes in, and the bundle's content comes
into the cache once it is verified (`pull`). The format is described in `oci/README.md`.
"""
