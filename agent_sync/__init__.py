"""agent-sync fetches files for coding agents, pins them in a lock, and puts them where each tool reads them.

from agent_sync import open_project

project = open_project(".")
for action in project.sync(dry_run=True).plan.actions:
    print(action.path)
"""

from __future__ import annotations

from agent_sync._version import __version__

TYPE_CHECKING = False  # type checkers know the name; importing `typing` for it would double what --version takes

if TYPE_CHECKING:
    from agent_sync.bundle.sign import key_signing, keyless_signing
    from agent_sync.errors import AgentSyncError
    from agent_sync.ports import Cancellation, World
    from agent_sync.project import Project
    from agent_sync.store.cache import Cache
    from agent_sync.wiring import keys_generate, open_cache, open_project

__all__ = [
    "AgentSyncError",
    "Cache",
    "Cancellation",
    "Project",
    "World",
    "__version__",
    "key_signing",
    "keyless_signing",
    "keys_generate",
    "open_cache",
    "open_project",
]

_HOMES = {
    "AgentSyncError": "agent_sync.errors",
    "Cache": "agent_sync.store.cache",
    "Cancellation": "agent_sync.ports",
    "Project": "agent_sync.project",
    "World": "agent_sync.ports",
    "key_signing": "agent_sync.bundle.sign",
    "keyless_signing": "agent_sync.bundle.sign",
    "keys_generate": "agent_sync.wiring",
    "open_cache": "agent_sync.wiring",
    "open_project": "agent_sync.wiring",
}


def __getattr__(name: str) -> object:
    """Return a public name, loaded when it is first used: `import agent_sync` alone stays light."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
