"""agent-sync restore"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from agent_sync.cli.run import Answer, Session, Verb
from agent_sync.cli.text import Line
from agent_sync_oci.text import printable_line

if TYPE_CHECKING:
    from agent_sync.checkout import Restored


def restore(
    session: Session,
    path: Annotated[
        str, typer.Argument(metavar="PATH", help="The file, from the project's directory.", show_default=False)
    ],
) -> Answer:
    """Bring back the local edit that a sync replaced.

    The newest kept edit of the file is put in its place. If what stands there is an edit as well, it is kept in turn.
    """
    restored = session.project().restore(path).restored
    return Answer(_fields(restored), lines=_lines(restored))


def _lines(restored: Restored) -> Iterator[Line]:
    yield f"restored {printable_line(restored.edit.path)}, as kept since {restored.edit.when}"
    if restored.replaced is not None:
        yield f"what stood there is kept: {printable_line(restored.replaced.place)}"


def _fields(restored: Restored) -> dict[str, object]:
    return {
        "path": restored.edit.path,
        "kept_since": restored.edit.when,
        "replaced": None if restored.replaced is None else restored.replaced.place,
    }


VERB = Verb(
    "restore",
    restore,
    fields={
        "path": "the file that is back",
        "kept_since": "when its edit was kept, in UTC",
        "replaced": "where the edit lies that stood there; null if there was none",
    },
    examples=("agent-sync restore .cursor/rules/style.md",),
)
