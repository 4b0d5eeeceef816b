"""Whatever a revocation may name in a lock."""

from __future__ import annotations

import re

from agent_sync.store.roots import mentioned
from agent_sync_oci.digest import Digest

_GIT = re.compile(rb"(?<![0-9a-f])[0-9a-f]{40}(?![0-9a-f])")


def digests_in(lock: bytes) -> frozenset[str]:
    """Blobs and files by their sha256, commits and trees by git's digest: all that stands in the text of the lock; and
    the lock itself.
    """
    return frozenset({Digest.of(lock), *mentioned(lock), *(found.decode() for found in _GIT.findall(lock))})
