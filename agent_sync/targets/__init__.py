"""Where files go: targets and the tool map in, placements and the united outputs out, or an error naming both owners.

Pure: a placement is a source's name and a directory; nothing here looks at a disk.
"""

from __future__ import annotations

from agent_sync.targets.placement import OwnedDirectories, owned_directories, placements
from agent_sync.targets.union import override_matches, unite

__all__ = ["OwnedDirectories", "override_matches", "owned_directories", "placements", "unite"]
