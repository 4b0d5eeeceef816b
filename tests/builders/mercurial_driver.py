"""agent-sync with one more source type: `python -m tests.builders.mercurial_driver update` instead of `agent_sync`."""

from __future__ import annotations

import sys

from agent_sync.sources import TYPES

TYPES["hg"] = "tests.builders.mercurial"


def main(arguments: list[str]) -> int:
    """The program; or, for `schemas`, both JSON Schemas as one list."""
    if arguments == ["schemas"]:
        from agent_sync.config.schema import config_schema_text
        from agent_sync.lock.schema import lock_schema_text

        print(f"[{config_schema_text()}, {lock_schema_text()}]")
        return 0
    from agent_sync.__main__ import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
