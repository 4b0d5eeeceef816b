"""Where bytes lie: a write-once store of blobs by digest, which every process of one user shares.

Blobs go in under the digest of their bytes; what comes out, a file of a tree or a loose file, is verified on its way.
Locks that were served are remembered, so that space can be given back without taking what somebody needs.
"""

from __future__ import annotations
