"""The cache: a write-once store of blobs by digest, which every process of one user shares.

Blobs go in under the digest of their bytes; a file that comes out, of a tree or a loose one, is verified on its way.
Locks that were served are remembered, so that space can be reclaimed without taking what somebody needs.
"""

from __future__ import annotations
