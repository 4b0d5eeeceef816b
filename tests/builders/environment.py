"""The environment variables of a machine on which nobody has ever configured anything."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

# What a test may learn from the machine: where programs and temporary files are, and what it is asked to require.
_INHERITED = ("PATH", "TMPDIR", "REQUIRE_REAL", "REAL_RULES", "COVERAGE_PROCESS_START")
_INHERITED_PREFIXES = ("PYTEST_", "PEER_")


def a_clean_environment(home: Path, machine: Mapping[str, str]) -> dict[str, str]:
    """`home` as HOME, the programs of `machine`, and no setting, key, proxy or locale of its user."""
    kept = {
        name: value
        for name, value in sorted(machine.items())
        if name in _INHERITED or name.startswith(_INHERITED_PREFIXES)
    }
    own_programs = str(Path(sys.executable).parent)
    path = kept.get("PATH", "/usr/bin:/bin")
    return kept | {
        "PATH": path if path.split(":")[0] == own_programs else f"{own_programs}:{path}",
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "GIT_CONFIG_NOSYSTEM": "1",
    }
