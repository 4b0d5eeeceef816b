"""agent-sync info"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from agent_sync.cli.report import Line, Piece, Style, Styled, align, bytes_text
from agent_sync.cli.run import Answer, Section, Session, Verb

if TYPE_CHECKING:
    from agent_sync.config import ToolDirectory
    from agent_sync.operations.info import InfoResult


def info(session: Session) -> Answer:
    """Show versions, paths, and tools.

    The paths are those of the configuration, the lock, and the cache, and the directories that the known tools read.
    In CI, --no-inherit (or AGENT_SYNC_NO_INHERIT=1) is recommended: the result then depends on the project alone.
    """
    result = session.project().info()
    return Answer(result, lines=_lines(result))


def _lines(result: InfoResult) -> Iterator[Line]:
    inherit = "yes (--no-inherit ignores all but the project's)" if result.inherit else "no (only the project's)"
    rows: list[tuple[str, str]] = [
        ("agent-sync", f"{result.version}, command line and Python library ({result.distribution})"),
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
    """Return the row; its title only where it differs from the one above."""
    title, text = rows[number]
    repeated = number > 0 and rows[number - 1][0] == title
    return ("" if repeated else Styled(title, Style.STRONG), text)


def _tool(name: str, place: ToolDirectory, result: InfoResult) -> str:
    notes = [*(["custom"] if name in result.custom else []), *(["shared with you"] if place.shared else [])]
    return f"{name}: {place.destination}/" + (f" ({', '.join(notes)})" if notes else "")


def _found(found: bool) -> str:  # noqa: FBT001
    return "found" if found else "not found"


VERB = Verb(
    "info",
    info,
    document="documents_out.machine.info_document",
    section=Section.MACHINE,
    examples=("agent-sync info",),
)
