"""Moving artifacts between places: send blobs, copy all that a manifest reaches, attach and find referrers.

Registries (any implementation of the protocol) and digests go in; the same bytes are in the other place afterwards.
"""

from __future__ import annotations
