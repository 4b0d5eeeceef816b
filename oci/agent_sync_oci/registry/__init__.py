"""Registries: one protocol of seven calls, for memory, image layouts, archives and registries over HTTP.

Digests, tags and blobs go in; manifests with their exact bytes and verified blobs come out.
"""

from __future__ import annotations
