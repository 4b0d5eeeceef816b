"""Store paths of Nix, as text and as fields."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from agent_sync.cli.documents import Fields
from agent_sync.cli.escaping import printable_line
from agent_sync.cli.lines import Line

if TYPE_CHECKING:
    from agent_sync.operations.nix_paths import NixPath


def path_lines(paths: Iterable[NixPath]) -> Iterator[Line]:
    """A line for each."""
    return (f"{each.path}  {printable_line(each.what)}" for each in paths)


def path_fields(paths: Iterable[NixPath]) -> Sequence[Fields]:
    """The same for a program."""
    return [{"path": each.path, "what": each.what} for each in paths]
