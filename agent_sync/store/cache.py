"""Cache: the store as its user looks after it (`agent-sync cache`)."""

from __future__ import annotations

from dataclasses import dataclass, field

from agent_sync.events import Observer, ignore
from agent_sync.ports import Cancellation, Clock
from agent_sync.store.auditing import Audit, audit
from agent_sync.store.disk import DiskStore
from agent_sync.store.listing import Stored, stored
from agent_sync.store.reclaiming import KEEP_DAYS, Reclaimed, reclaim


@dataclass(frozen=True)
class Cache:
    """One user's store. Raises AgentSyncErrors only."""

    store: DiskStore
    clock: Clock
    observer: Observer = ignore
    cancellation: Cancellation = field(default_factory=Cancellation)

    def list(self) -> tuple[Stored, ...]:
        """Every blob with its length in bytes and who needs it, sorted by digest."""
        return stored(self.store)

    def verify(self) -> Audit:
        """Every blob hashed, and compared with all that known locks say of it; corrupt ones are set aside."""
        return audit(self.store, cancellation=self.cancellation, observer=self.observer)

    def gc(self, *, keep_days: int = KEEP_DAYS) -> Reclaimed:
        """Gone is what no lock needs that was seen in the last `keep_days` days."""
        return reclaim(self.store, now_s=self.clock.now_s(), keep_days=keep_days)
