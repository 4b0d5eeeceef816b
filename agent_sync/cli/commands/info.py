"""agent-sync info"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from agent_sync.cli.run import Answer, Session, Verb
from agent_sync.cli.text import Line, Piece, Style, Styled, align, bytes_text

if TYPE_CHECKING:
    from agent_sync.config import ToolDirectory
    from agent_sync.operations.info import InfoResult


def info(session: Session) -> Answer:
    """Show versions, places and tools.

    Where configuration, lock and store lie, how large the store is, and where each known tool reads its files.
    In CI --no-inherit (or AGENT_SYNC_NO_INHERIT=1) is recommended: the result then depends on the project alone.
    """
    result = session.project().info()
    return Answer(_fields(result), lines=_lines(result))


def _lines(result: InfoResult) -> Iterator[Line]:
    inherit = "yes; --no-inherit reads the project's only, as CI should" if result.inherit else "no: the project's only"
    rows: list[tuple[str, str]] = [
        ("agent-sync", f"{result.version}, command line and Python library"),
        ("specification", f"{result.spec_version}, format version {result.format_version}"),
        *(("configuration", f"{file.level}: {file.path} ({_found(file.found)})") for file in result.config_files),
        ("inherit", inherit),
        ("lock", f"{result.lock} ({_found(result.lock_found)})"),
        ("cache", f"{result.cache} ({bytes_text(result.cache_bytes)})"),
        ("tool map", result.tool_map),
        *(("tool", _tool(name, place, result)) for name, place in result.tools.items()),
    ]
    yield from align([_titled(rows, number) for number in range(len(rows))])


def _titled(rows: list[tuple[str, str]], number: int) -> tuple[Piece, Piece]:
    """The row; its title only where it differs from the one above."""
    title, text = rows[number]
    repeated = number > 0 and rows[number - 1][0] == title
    return ("" if repeated else Styled(title, Style.STRONG), text)


def _tool(name: str, place: ToolDirectory, result: InfoResult) -> str:
    notes = [*(["custom"] if name in result.custom else []), *(["shared with its user"] if place.shared else [])]
    return f"{name}: {_directory(place)}" + (f" ({', '.join(notes)})" if notes else "")


def _directory(place: ToolDirectory) -> str:
    return f"{place.destination}/"


def _found(found: bool) -> str:  # noqa: FBT001
    return "found" if found else "not found"


def _fields(result: InfoResult) -> dict[str, object]:
    return {
        "version": result.version,
        "spec_version": result.spec_version,
        "format_version": result.format_version,
        "config_files": [{"level": file.level, "path": file.path, "found": file.found} for file in result.config_files],
        "inherit": result.inherit,
        "lock": {"path": result.lock, "found": result.lock_found},
        "cache": {"path": result.cache, "bytes": result.cache_bytes},
        "tool_map": result.tool_map,
        "tools": [
            {"name": name, "destination": _directory(place), "shared": place.shared, "custom": name in result.custom}
            for name, place in result.tools.items()
        ],
    }


VERB = Verb(
    "info",
    info,
    fields={
        "version": "the version of agent-sync, the program and the library",
        "spec_version": "the version of the specification",
        "format_version": "the version of configuration and lock",
        "config_files": "where a configuration or a policy may lie: `level` (system, user, project, policy), `path`,"
        " whether it was `found`",
        "inherit": "whether the user's and the system's configuration are read",
        "lock": "its `path`, and whether it was `found`",
        "cache": "the store: its `path`, and how many `bytes` it has",
        "tool_map": "the built-in tool map in use",
        "tools": "every tool: `name`, `destination`, whether the directory is `shared` with its user,"
        " and whether the tool is `custom`",
    },
    examples=("agent-sync info",),
)
