"""A lock's bytes into the store: what a plan needs goes in, a `Contents` that can serve every byte of it comes out.

Each blob is looked for in the store, then in the folders that were handed over, then upstream, and whatever comes is
judged by the lock's digests; nothing here trusts a place.
"""

from __future__ import annotations

from agent_sync.supply.supplying import Supplier

__all__ = ["Supplier"]
