"""`.agent-sync/`: what one checkout remembers, made when the first thing is to be remembered and never committed.

A project's directory goes in; the lock that was last written here, the edits that were kept, the place of the journal
and the project's own lock come out. All but an open journal and `kept/` can be lost without harm.
"""

from __future__ import annotations

from agent_sync.checkout.kept import Kept, KeptEdit, Restored
from agent_sync.checkout.state import APPLIED, INHERITED, STATE, TRANSACTION, Checkout

__all__ = ["APPLIED", "INHERITED", "STATE", "TRANSACTION", "Checkout", "Kept", "KeptEdit", "Restored"]
