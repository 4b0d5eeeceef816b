"""Git repositories over every protocol that is allowed, and the signatures in them.

An address and the ids of commits go in; commits, trees and blobs come out, read from the object database and never
from a checkout. `git` brings them (libgit2 where there is none), libgit2 reads them, `gpgv` and `ssh-keygen` judge
signatures.
"""

from __future__ import annotations

from agent_sync.adapters.git.repository import RemoteGit
from agent_sync.adapters.git.signatures import GitSignatures

__all__ = ["RemoteGit", "GitSignatures"]
