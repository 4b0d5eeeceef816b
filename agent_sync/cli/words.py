"""The words of a command line, sorted: which name the command, and which flags stand in front of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent_sync.cli.options import leading_flags


@dataclass(frozen=True, slots=True)
class Family:
    """Commands of two words; `verbs` are modules by their second word."""

    about: str
    verbs: Mapping[str, str]


Commands = Mapping[str, str] | Mapping[str, str | Family]


@dataclass(frozen=True, slots=True)
class Words:
    """A command line in order: the command, the global flags that stood before it or between its words, the rest."""

    command: tuple[str, ...]
    flags: tuple[str, ...]
    rest: tuple[str, ...]
    complete: bool

    @property
    def to_parse(self) -> list[str]:
        """What the command reads, with its flags in it; without a whole command, what tells that it is missing."""
        return [*self.flags, *self.rest] if self.complete else list(self.rest)


def words_in_order(arguments: Sequence[str], commands: Commands) -> Words:
    """The arguments, sorted. `commands` holds a module for each command, or a family of them."""
    command: list[str] = []
    flags: list[str] = []
    rest = list(arguments)
    entry: Commands | str = commands
    while not isinstance(entry, str):
        leading = leading_flags(rest)
        flags, rest = flags + leading, rest[len(leading) :]
        found = entry.get(rest[0]) if rest else None
        if found is None:
            return Words(tuple(command), tuple(flags), tuple(rest), complete=False)
        command.append(rest.pop(0))
        entry = found.verbs if isinstance(found, Family) else found
    return Words(tuple(command), tuple(flags), tuple(rest), complete=True)
