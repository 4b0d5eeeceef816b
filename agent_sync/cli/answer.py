"""What a command has to say: the same facts as text and as fields of a document."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from agent_sync.cli.documents import Fields
from agent_sync.cli.exit_codes import DONE, exit_code_of
from agent_sync.cli.lines import Line
from agent_sync.errors import AgentSyncError


@dataclass(frozen=True, slots=True)
class Answer:
    """`lines` for a person, `fields` for a program; what failed although there is an answer; and the exit code.

    Without a `code` the failure decides, and without a failure everything is done.
    """

    fields: Fields
    lines: Iterable[Line] = ()
    failure: AgentSyncError | None = None
    code: int | None = None

    @property
    def exit_code(self) -> int:
        """The code that the program ends with."""
        if self.code is not None:
            return self.code
        return DONE if self.failure is None else exit_code_of(self.failure)


@dataclass(frozen=True, slots=True)
class Verb:
    """A command: its words, the function that answers, and for its readers the fields of its document and examples.

    The function takes the session and what its signature tells typer to read; its docstring is the help. `repeatable`
    says whether, with these values, an answer that has changed nothing may be given again as long as all that it rests
    on is the same.
    """

    name: str
    run: Callable[..., Answer]
    fields: Mapping[str, str]
    examples: Sequence[str] = ()
    repeatable: Callable[[Mapping[str, object]], bool] = lambda _values: False
