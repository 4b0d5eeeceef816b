"""Source types: what a source is declared as, what it is pinned to, and how its files are fetched.

Each type is one module (`git`, `url`, `local`, `oci`) with a `TYPE`, and one line in `TYPES`; `base` has the protocol,
and `dispatch` runs many sources side by side, each failing alone. Declarations and pins are light: what talks to git or
HTTP is loaded when a source of that type is fetched.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agent_sync.sources.base import Description, Pinned, SourceType

TYPES: dict[str, str] = {
    "git": "agent_sync.sources.git",
    "url": "agent_sync.sources.url",
    "local": "agent_sync.sources.local",
    "oci": "agent_sync.sources.oci",
}
"""The module of each type, by the name that `type:` has in a configuration and in a lock."""


def source_type(name: str) -> SourceType[Any, Any]:
    """Return the type of that name. KeyError if there is none."""
    found: SourceType[Any, Any] = import_module(TYPES[name]).TYPE
    return found


def describe(pinned: Pinned[Any, Any]) -> Description:
    """Describe a pinned source, by its type."""
    return source_type(pinned.declaration.type).describe(pinned)
