"""Where files go: targets and the tool map in, placements and the united outputs out, or an error naming both owners.

Pure: a placement is a source's name and a folder; nothing here looks at a disk.
"""

from __future__ import annotations

from agent_sync.targets.folders import OwnedFolders, owned_folders
from agent_sync.targets.placing import placements
from agent_sync.targets.uniting import override_matches, united

__all__ = ["OwnedFolders", "override_matches", "owned_folders", "placements", "united"]
