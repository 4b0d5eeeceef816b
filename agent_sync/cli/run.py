"""One run of a command: the session that it gets, the answer that it gives, and what becomes of errors."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agent_sync.cli.documents import Fields, document, error_fields, failure_fields
from agent_sync.cli.error_text import error_lines
from agent_sync.cli.options import GlobalOptions, reject_conflicting
from agent_sync.cli.progress import TerminalObserver
from agent_sync.cli.screen import OutputLost, Screen, Streams
from agent_sync.cli.text import Line
from agent_sync.errors import AgentSyncError, Cancelled

if TYPE_CHECKING:
    from agent_sync.ports import Cancellation
    from agent_sync.project import Project
    from agent_sync.receipt.recorder import Recorder
    from agent_sync.store.cache import Cache


# -- Answers of one command line, kept as receipts.


@dataclass(frozen=True, slots=True)
class Receipts:
    """Keeps what the process with these arguments and this environment answers."""

    arguments: Sequence[str]
    environment: Mapping[str, str]

    def recorder(self) -> Recorder:
        """For a run that begins now; it may use what earlier ones have hashed."""
        from agent_sync.receipt.recorder import Recorder, known_files

        return Recorder(started_ns=time.time_ns(), known=lambda: known_files(self.environment))

    def keep(self, recorder: Recorder) -> None:
        """The answer that these notes are about can be given again, if nothing speaks against it."""
        from agent_sync.receipt.recorder import save

        save(recorder, self.arguments, self.environment, created_s=int(time.time()))


# -- Session: one run of a command, with its options, its screen, and what it opens.


@dataclass(frozen=True, slots=True)
class Invocation:
    """What a process gives to its program; nothing of it is read anywhere else. `directory` is the current one.

    With a `memory` an answer that can be given again is kept.
    """

    streams: Streams
    environment: Mapping[str, str]
    cancellation: Cancellation
    directory: str = "."
    memory: Receipts | None = None


class Session:
    """One run. It can be made before anything is opened, so that what fails at once is shown as it was asked for."""

    def __init__(self, options: GlobalOptions, surroundings: Invocation, *, recorder: Recorder | None = None) -> None:
        self.options = options
        self._surroundings = surroundings
        self._recorder = recorder
        environment = surroundings.environment
        self._environment = environment if recorder is None else recorder.environment(environment)
        self.screen = Screen(
            surroundings.streams,
            self._environment,
            no_color=options.no_color,
            quiet=options.quiet,
            hear=None if recorder is None else recorder.say,
        )
        self.listener = TerminalObserver(self.screen, verbose=options.verbose, document=options.json)

    def project(self, *, policy: str | None = None) -> Project:
        """The project in the current directory, or where `--config` says; `policy` is a file with further demands.

        Raises: UsageError, FileSystemError.
        """
        from agent_sync.wiring import open_project, recorded_project

        project = open_project(
            self._surroundings.directory,
            config=self.options.config,
            lockfile=self.options.lockfile,
            no_inherit=self.options.no_inherit,
            policy=policy,
            offline=self.options.offline,
            observer=self.listener,
            environment=self._environment,
        )
        if self._recorder is not None:
            project = recorded_project(project, self._recorder)
        return project.within(cancellation=self._surroundings.cancellation)

    def cache(self) -> Cache:
        """The user's store. Raises UsageError, FileSystemError."""
        from agent_sync.wiring import open_cache

        cache = open_cache(observer=self.listener, environment=self._environment)
        return replace(cache, cancellation=self._surroundings.cancellation)

    def show(self, lines: Iterable[Line]) -> None:
        """The lines are on standard output, unless a document is wanted there. FileSystemError if it cannot be
        written.
        """
        if not self.options.json:
            self.screen.show(lines)

    @property
    def directory(self) -> str:
        """The current directory, as an absolute path."""
        return os.path.abspath(self._surroundings.directory)

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment's variables."""
        return self._surroundings.environment

    def ask_secret(self, question: str) -> str | None:
        """What the person at the terminal types, unseen; None where nobody can be asked."""
        if self.options.json or not self.screen.can_ask:
            return None
        self.listener.finish()
        return self.screen.ask_secret(question)

    def ask(self, question: str) -> str | None:
        """What the person at the terminal answers; None where nobody can be asked."""
        if self.options.json or not self.screen.can_ask:
            return None
        self.listener.finish()
        return self.screen.ask(question)


# -- What a command has to say: the same facts as text and as fields of a document.

DONE = 0
"""Exit code: done, or clean."""

FOUND = 1
"""Exit code: `check`, `verify` or `diff` found drift or newer versions, or an update was declined."""


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
        return DONE if self.failure is None else self.failure.exit_code


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


# -- One run of a command: the verb answers, the answer is shown, and whatever stops it becomes text and an exit code.

_INTERRUPTED = "interrupted; nothing half-written"


class InternalError(AgentSyncError):
    """Something that agent-sync did not foresee: a fault of ours."""

    rule = "internal"


def run_verb(verb: Verb, options: GlobalOptions, values: Mapping[str, object], surroundings: Invocation) -> int:
    """The exit code of the command; everything that there is to say has been said."""
    memory = surroundings.memory if verb.repeatable(values) else None
    recorder = None if memory is None else memory.recorder()
    session = Session(options, surroundings, recorder=recorder)
    run = _Run(verb, session)
    try:
        reject_conflicting(verbose=options.verbose, quiet=options.quiet)
        code = run.answered(verb.run(session, **values))
        if memory is not None and recorder is not None and code == DONE:
            memory.keep(recorder)
        return code
    except OutputLost as error:
        return run.unheard(error)
    except (KeyboardInterrupt, Cancelled):  # nothing but a signal cancels a run of the command line
        return run.interrupted()
    except AgentSyncError as error:
        return run.failed(error)
    except Exception as error:  # noqa: BLE001  # the last resort: exit code 70
        return run.broken(error)
    finally:
        session.listener.finish()


class _Run:
    """Tells the outcome of one run, as text or as a document."""

    def __init__(self, verb: Verb, session: Session) -> None:
        self._verb = verb
        self._session = session

    def answered(self, answer: Answer) -> int:
        self._session.listener.finish()
        failed = {} if answer.failure is None else failure_fields(answer.failure)
        if not self._document(answer.exit_code, answer.fields, failed):
            self._session.show(answer.lines)
            self._tell(() if answer.failure is None else error_lines(answer.failure))
        return answer.exit_code

    def failed(self, error: AgentSyncError) -> int:
        code = error.exit_code
        self._undone(code, failure_fields(error), error_lines(error))
        return code

    def unheard(self, error: OutputLost) -> int:
        self._tell(error_lines(error))
        return error.exit_code

    def interrupted(self) -> int:
        cancelled = Cancelled(subject="this run", check=_INTERRUPTED, remedy="run it again")
        self._undone(cancelled.exit_code, {"error": error_fields(cancelled)}, (_INTERRUPTED,))
        return cancelled.exit_code

    def broken(self, error: Exception) -> int:
        fault = InternalError(
            subject=f"agent-sync {self._verb.name}",
            check=f"{type(error).__name__}: {error}",
            remedy="this is a fault of agent-sync, please report it, with the command, `agent-sync info`"
            " and what --verbose adds",
        )
        self._undone(fault.exit_code, failure_fields(fault), [*self._traceback(error), *error_lines(fault)])
        return fault.exit_code

    def _undone(self, code: int, fields: Fields, lines: Iterable[Line]) -> None:
        """A run that brought no answer is told, and what it had done already and has put back."""
        listener = self._session.listener
        listener.finish()
        try:
            if self._document(code, fields, {"rolled_back": listener.rolled_back}):
                return
        except OutputLost as lost:
            self.unheard(lost)
        self._tell([*lines, *listener.undone()])

    def _document(self, code: int, *parts: Fields) -> bool:
        """Whether a document is wanted; it has been written then."""
        if self._session.options.json:
            warnings = self._session.listener.warnings
            self._session.screen.write(document(self._verb.name, code, *parts, warnings=warnings))
        return self._session.options.json

    def _traceback(self, error: Exception) -> list[Line]:
        if not self._session.options.verbose:
            return []
        import traceback

        return "".join(traceback.format_exception(error)).rstrip("\n").split("\n")  # type: ignore[return-value]

    def _tell(self, lines: Iterable[Line]) -> None:
        self._session.screen.say(*lines, error=True)
