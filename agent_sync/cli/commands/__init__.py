"""The commands, one in each module: its options, the one method that it calls, and the text of its result.

Each module defines `VERB`. Nothing heavy is imported before its function runs: `--help` loads these modules, too.
"""

from __future__ import annotations

import os

# A module is a command: `cache_gc` is `agent-sync cache gc`. Listing the directory keeps any other list from being
# forgotten.
MODULES = tuple(sorted(name[:-3] for name in os.listdir(__path__[0]) if name.endswith(".py") and name[0] != "_"))
