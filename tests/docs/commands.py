"""The commands of the program and the flags that each one takes, as the documentation may name them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache

from agent_sync.cli.program import COMMANDS, program

Words = tuple[str, ...]


@cache
def commands() -> tuple[Words, ...]:
    """The words of every command, such as `("cache", "gc")`."""
    return tuple(tuple(verb.name.split()) for verb in COMMANDS.verbs())


@cache
def flags() -> Mapping[Words, frozenset[str]]:
    """Every flag of every command, and under no words at all those of the program itself."""
    root = program()
    found: dict[Words, frozenset[str]] = {(): _flags_of(root.params)}
    for words in commands():
        command = root
        for word in words:
            command = command.commands[word]  # type: ignore[assignment]  # a family holds commands
        found[words] = _flags_of(command.params)
    return found


def named_command(words: Iterable[str]) -> Words | None:
    """The command that the words behind `agent-sync` name, wherever its flags stand; None if there is none."""
    plain = [word for word in words if not word.startswith("-")]
    longest_first = sorted(commands(), key=len, reverse=True)  # `verify` is a command, and the second word of two
    return next(
        (each for each in longest_first for at in range(len(plain)) if tuple(plain[at : at + len(each)]) == each), None
    )


def _flags_of(parameters: Iterable[object]) -> frozenset[str]:
    given = (name for parameter in parameters for name in getattr(parameter, "opts", ()))
    return frozenset({*(name for name in given if name.startswith("-")), "--help", "-h"})
