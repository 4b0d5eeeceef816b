"""Bundles: a lock and every blob that it needs, as OCI artifacts that any registry, directory or single file can hold.

A lock and a store go in and a signed index comes out (`pushing`); a place goes in, and what it holds comes into the
store once it is proved (`pulling`). The format is described in `oci/README.md`.
"""
