"""The one noun that travels: a tree, an immutable sorted map from a safe relative path to a file's digest and
executable bit.

Names and digests go in; trees, their unions and differences, and their two packed forms (canonical tar, NAR hash) come
out. Everything here is pure: file contents pass through as chunks and are hashed on the way.
"""

from __future__ import annotations

from agent_sync.tree.model import Change, Entry, Sha256, Tree, describe_changes, sorted_paths
from agent_sync.tree.names import ROOT, RelPath, join, parent, refuse_collisions, safe_path, safe_paths

__all__ = [
    "ROOT",
    "Change",
    "Entry",
    "RelPath",
    "Sha256",
    "Tree",
    "describe_changes",
    "join",
    "parent",
    "refuse_collisions",
    "safe_path",
    "safe_paths",
    "sorted_paths",
]
