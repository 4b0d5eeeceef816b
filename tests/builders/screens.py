"""The command line in this process: what it reads and writes is text in memory, and may pass for a terminal."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent_sync.cli.options import GlobalOptions
from agent_sync.cli.program import run
from agent_sync.cli.run import Invocation, Verb, run_verb
from agent_sync.cli.screen import Streams
from agent_sync.ports import Cancellation
from tests.builders.command_line import CommandMachine
from tests.builders.headlines import assert_headlines
from tests.builders.result_documents import validated

ESC = "\x1b"


class Terminal(io.StringIO):
    """Text that says it is a terminal; for input, what its user has typed."""

    def isatty(self) -> bool:
        return True


@dataclass(frozen=True)
class Told:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """What it wrote, as JSON."""
        found: dict[str, Any] = json.loads(self.out)
        return found


@dataclass(frozen=True)
class Here:
    """Where commands are run: files or terminals, and what was typed. `variables` is the whole environment."""

    directory: Path
    variables: Mapping[str, str]
    at_terminal: bool = False
    typed: str = ""

    def run(self, *words: str) -> Told:
        """Run the whole program; a document that it writes is valid, and each headline stands alone."""
        streams = self._streams()
        told = self._told(run(words, self._invocation(streams)), streams)
        assert_headlines(told.err)
        if told.out.startswith("{"):
            validated(told.out)
        return told

    def run_verb(self, verb: Verb, **options: Any) -> Told:  # noqa: ANN401  # those of GlobalOptions
        """One verb, with these global options."""
        streams = self._streams()
        return self._told(run_verb(verb, GlobalOptions(**options), {}, self._invocation(streams)), streams)

    def _invocation(self, streams: Streams) -> Invocation:
        return Invocation(streams, self.variables, Cancellation(), directory=str(self.directory))

    def _streams(self) -> Streams:
        kind = Terminal if self.at_terminal else io.StringIO
        return Streams(kind(self.typed), kind(), kind())

    @staticmethod
    def _told(code: int, streams: Streams) -> Told:
        assert isinstance(streams.stdout, io.StringIO)
        assert isinstance(streams.stderr, io.StringIO)
        return Told(code, streams.stdout.getvalue(), streams.stderr.getvalue())


def here(directory: Path, *, at_terminal: bool = False, typed: str = "", **variables: str) -> Here:
    """A place without a project."""
    return Here(directory, {"PATH": os.environ["PATH"], "HOME": str(directory), **variables}, at_terminal, typed)


def inside(machine: CommandMachine, *, at_terminal: bool = False, typed: str = "", **variables: str) -> Here:
    """The project of a machine."""
    home = {"PATH": os.environ["PATH"], "HOME": str(machine.home)}
    return Here(machine.project, {**home, **machine.variables, **variables}, at_terminal, typed)
