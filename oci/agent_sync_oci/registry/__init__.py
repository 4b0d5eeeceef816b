"""Where artifacts lie: one protocol of seven calls, and what speaks it - memory, a layout directory, an archive file, a
registry. Digests, tags and blobs go in; manifests with their exact bytes and verified blobs come out.
"""

from __future__ import annotations
