"""One run of a command: the session that it gets, the answer that it gives, and what becomes of errors."""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

from agent_sync.cli.options import GlobalOptions, reject_conflicting, with_options
from agent_sync.cli.report import Line, error_lines
from agent_sync.cli.screen import OutputLost, Screen, Streams, TerminalObserver
from agent_sync.errors import AgentSyncError, Cancelled
from agent_sync_oci.records import record

if TYPE_CHECKING:
    from agent_sync.documents_out.document import Document
    from agent_sync.ports import Cancellation
    from agent_sync.project import Project
    from agent_sync.receipt.recorder import Recorder
    from agent_sync.store.cache import Cache

DONE = 0
"""The exit code of a command that did what it was asked to; it found nothing to report."""

FOUND = 1
"""The exit code for drift, newer versions, or a question that was declined."""

_INTERRUPTED = "interrupted; nothing half-written"


class InternalError(AgentSyncError):
    """An error that agent-sync did not foresee: a bug."""

    rule = "internal"


class Section(Enum):
    """A section of the main help."""

    EVERYDAY = "Everyday commands"
    REPAIR = "Clean up and repair"
    BUNDLES = "Bundles"
    MACHINE = "Cache, Nix, and this machine"
    ALL = "Commands"


@record
class Verb:
    """A command: its words, the function that answers, how its result becomes a document, and examples for its help.

    The function takes the session and what its signature tells typer to parse; its docstring is the help. `document`
    names the function, with its module, that returns what `--json` writes of a result: a typed dictionary. It is
    imported only for `--json`. `repeatable` says whether, with these values, the answer of a run that changed nothing
    may be given again as long as everything it depends on is the same.
    """

    name: str
    run: Callable[..., Answer]
    document: str = "documents_out.document.plain_document"
    section: Section = Section.EVERYDAY
    examples: Sequence[str] = ()
    repeatable: Callable[[Mapping[str, object]], bool] = lambda _values: False

    @property
    def to_document(self) -> Callable[[Any], Document]:
        """The function that `document` names."""
        module, _, name = self.document.rpartition(".")
        function: Callable[[Any], Document] = getattr(importlib.import_module(f"agent_sync.{module}"), name)
        return function


class VerbGroup(NamedTuple):
    """Commands of two words that share the first one, and what they are for."""

    name: str
    about: str
    section: Section
    verbs: tuple[Verb, ...]

    @property
    def by_word(self) -> Mapping[str, Verb]:
        """The commands by their second word."""
        return {verb.name.removeprefix(f"{self.name} "): verb for verb in self.verbs}


class Answer(NamedTuple):
    """What a command answers: the result of the library, `lines` for a person, and what failed nevertheless.

    Without a `code` the failure decides the exit code, and without a failure it is 0.
    """

    result: object
    lines: Iterable[Line] = ()
    failure: AgentSyncError | None = None
    code: int | None = None

    @property
    def exit_code(self) -> int:
        """The exit code of the program."""
        if self.code is not None:
            return self.code
        return DONE if self.failure is None else self.failure.exit_code


class Receipts(NamedTuple):
    """The receipts of the process with these arguments and this environment."""

    arguments: Sequence[str]
    environment: Mapping[str, str]

    def recorder(self) -> Recorder:
        """Return the recorder of a run that begins now; it may use what earlier runs have hashed."""
        from agent_sync.receipt.recorder import Recorder, known_files

        return Recorder(started_ns=time.time_ns(), known=lambda: known_files(self.environment))

    def keep(self, recorder: Recorder) -> None:
        """Save a receipt for the answer that was recorded, unless something forbids it."""
        from agent_sync.receipt.recorder import save

        save(recorder, self.arguments, self.environment, created_s=int(time.time()))


class Invocation(NamedTuple):
    """What a process gives to its program; nothing of it is read anywhere else. `directory` is the current one.

    With `receipts`, an answer that can be given again is saved.
    """

    streams: Streams
    environment: Mapping[str, str]
    cancellation: Cancellation
    directory: str = "."
    receipts: Receipts | None = None


class Session:
    """One run, with its options, its screen, and what it opens.

    Nothing is opened when it is made, so that an error at the very start is already shown as the options want it.
    """

    def __init__(
        self,
        options: GlobalOptions,
        invocation: Invocation,
        *,
        recorder: Recorder | None = None,
    ) -> None:
        self.options = options
        self._policy: str | None = None
        self._invocation = invocation
        self._recorder = recorder
        environment = invocation.environment
        self._environment = environment if recorder is None else recorder.environment(environment)
        self.screen = Screen(
            invocation.streams,
            self._environment,
            no_color=options.no_color,
            quiet=options.quiet,
            on_output=None if recorder is None else recorder.say,
        )
        self.observer = TerminalObserver(self.screen, verbose=options.verbose, document=options.json)

    def project(self, *, policy: str | None = None) -> Project:
        """Return the project in the current directory, or where `--config` says; `policy` is one more policy file.

        Raises: UsageError, FileSystemError.
        """
        from agent_sync.wiring import open_project, recorded_project

        self._policy = policy  # next steps name it, too
        project = open_project(
            self._invocation.directory,
            config=self.options.config,
            lockfile=self.options.lockfile,
            no_inherit=self.options.no_inherit,
            policy=policy,
            offline=self.options.offline,
            observer=self.observer,
            environment=self._environment,
        )
        if self._recorder is not None:
            project = recorded_project(project, self._recorder)
        return project.within(cancellation=self._invocation.cancellation)

    def cache(self) -> Cache:
        """Return the user's cache. Raises UsageError, FileSystemError."""
        from agent_sync.wiring import open_cache

        cache = open_cache(observer=self.observer, environment=self._environment)
        return replace(cache, cancellation=self._invocation.cancellation)

    def show(self, lines: Iterable[Line]) -> None:
        """Write the lines to standard output, unless a document is to be there. Raises OutputLost."""
        if not self.options.json:
            self.screen.show(lines)

    def step(self, text: str) -> str:
        """Return a next step, such as `agent-sync sync`, with the options that were given."""
        return with_options(text, self.options, self._policy)

    @property
    def directory(self) -> str:
        """The current directory, as an absolute path."""
        return os.path.abspath(self._invocation.directory)

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment's variables."""
        return self._invocation.environment

    @property
    def can_ask(self) -> bool:
        """Whether a person is at the terminal who can be asked."""
        return self.screen.can_ask and not self.options.json

    def ask_secret(self, question: str) -> str | None:
        """Return what the person at the terminal types, unseen; None without a terminal."""
        if not self.can_ask:
            return None
        self.observer.finish()
        return self.screen.ask_secret(question)

    def ask(self, question: str) -> str | None:
        """Return what the person at the terminal answers; None without a terminal."""
        if not self.can_ask:
            return None
        self.observer.finish()
        return self.screen.ask(question)


def run_verb(verb: Verb, options: GlobalOptions, values: Mapping[str, object], invocation: Invocation) -> int:
    """Run the command and report its outcome; return the exit code."""
    receipts = invocation.receipts if verb.repeatable(values) else None
    recorder = None if receipts is None else receipts.recorder()
    session = Session(options, invocation, recorder=recorder)
    run = _Run(verb, session)
    try:
        reject_conflicting(verbose=options.verbose, quiet=options.quiet)
        code = run.answered(verb.run(session, **values))
        if receipts is not None and recorder is not None and code == DONE:
            receipts.keep(recorder)
        return code
    except OutputLost as error:
        return run.output_lost(error)
    except (KeyboardInterrupt, Cancelled):  # nothing but a signal cancels a run of the command line
        return run.interrupted()
    except AgentSyncError as error:
        return run.failed(error)
    except Exception as error:  # noqa: BLE001  # the last resort: exit code 70
        return run.broken(error)
    finally:
        session.observer.finish()


class _Run:
    """Reports the outcome of one run, as text or as a document."""

    def __init__(self, verb: Verb, session: Session) -> None:
        self._verb = verb
        self._session = session

    def answered(self, answer: Answer) -> int:
        self._session.observer.finish()
        if self._session.options.json:
            self._write_document(answer.exit_code, answer.failure, self._verb.to_document(answer.result))
        else:
            self._session.show(answer.lines)
            self._say(() if answer.failure is None else self._error_lines(answer.failure))
        return answer.exit_code

    def failed(self, error: AgentSyncError) -> int:
        self._report(error, self._error_lines(error))
        return error.exit_code

    def output_lost(self, error: OutputLost) -> int:
        self._say(self._error_lines(error))
        return error.exit_code

    def interrupted(self) -> int:
        cancelled = Cancelled(subject="run", check=_INTERRUPTED, remedy="rerun the command")
        self._report(cancelled, (_INTERRUPTED,))
        return cancelled.exit_code

    def broken(self, error: Exception) -> int:
        bug = InternalError(
            subject=f"agent-sync {self._verb.name}",
            check=f"{type(error).__name__}: {error}",
            remedy="please report this bug with the command, the output of `agent-sync info`, and what --verbose adds",
        )
        self._report(bug, [*self._traceback(error), *self._error_lines(bug)])
        return bug.exit_code

    def _report(self, error: AgentSyncError, lines: Iterable[Line]) -> None:
        """Report a run without an answer, and what it had already done and has undone."""
        observer = self._session.observer
        observer.finish()
        try:
            if self._session.options.json:
                self._write_document(error.exit_code, error, {"rolled_back": observer.rolled_back})
                return
        except OutputLost as lost:
            self.output_lost(lost)
        self._say([*lines, *observer.undone()])

    def _write_document(self, code: int, failure: AgentSyncError | None, fields: Document) -> None:
        from agent_sync.documents_out.document import document_text, failure_document

        failed: Document = {} if failure is None else failure_document(failure)
        warnings = self._session.observer.warnings
        self._session.screen.write(document_text(self._verb.name, code, fields, failed, warnings=warnings))

    def _error_lines(self, error: AgentSyncError) -> Iterable[Line]:
        return error_lines(error, complete=self._session.step)

    def _traceback(self, error: Exception) -> list[Line]:
        if not self._session.options.verbose:
            return []
        import traceback

        return "".join(traceback.format_exception(error)).rstrip("\n").split("\n")  # type: ignore[return-value]

    def _say(self, lines: Iterable[Line]) -> None:
        self._session.screen.say(*lines, error=True)
