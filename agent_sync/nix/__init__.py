"""Nix: the store paths of a lock's trees, and a binary cache that serves them.

A lock and the bytes of its trees go in; store paths, and NARs with their narinfo files in a directory, come out. No Nix
is needed for any of it.
"""

from __future__ import annotations
