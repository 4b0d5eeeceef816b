"""One run of a command: the verb answers, the answer is shown, and whatever stops it becomes text and an exit code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from agent_sync.cli.answer import Answer, Verb
from agent_sync.cli.documents import Fields, document, error_fields, failure_fields
from agent_sync.cli.error_text import error_lines
from agent_sync.cli.exit_codes import DONE, INTERNAL, INTERRUPTED, exit_code_of
from agent_sync.cli.lines import Line
from agent_sync.cli.options import GlobalOptions, refuse_both
from agent_sync.cli.screen import OutputLost
from agent_sync.cli.session import Session, Surroundings
from agent_sync.errors import AgentSyncError, Cancelled

_INTERRUPTED = "interrupted; nothing half-written"


class InternalFault(AgentSyncError):
    """Something that agent-sync did not foresee: a fault of ours."""

    rule = "internal"


def run_verb(verb: Verb, options: GlobalOptions, values: Mapping[str, object], surroundings: Surroundings) -> int:
    """The exit code of the command; everything that there is to say has been said."""
    memory = surroundings.memory if verb.repeatable(values) else None
    notes = None if memory is None else memory.notes()
    session = Session(options, surroundings, notes=notes)
    run = _Run(verb, session)
    try:
        refuse_both(verbose=options.verbose, quiet=options.quiet)
        code = run.answered(verb.run(session, **values))
        if memory is not None and notes is not None and code == DONE:
            memory.keep(notes)
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
        code = exit_code_of(error)
        self._undone(code, failure_fields(error), error_lines(error))
        return code

    def unheard(self, error: OutputLost) -> int:
        self._tell(error_lines(error))
        return exit_code_of(error)

    def interrupted(self) -> int:
        cancelled = Cancelled(subject="this run", check=_INTERRUPTED, remedy="run it again")
        self._undone(INTERRUPTED, {"error": error_fields(cancelled)}, (_INTERRUPTED,))
        return INTERRUPTED

    def broken(self, error: Exception) -> int:
        fault = InternalFault(
            subject=f"agent-sync {self._verb.name}",
            check=f"{type(error).__name__}: {error}",
            remedy="this is a fault of agent-sync, please report it, with the command, `agent-sync info`"
            " and what --verbose adds",
        )
        self._undone(INTERNAL, failure_fields(fault), [*self._traceback(error), *error_lines(fault)])
        return INTERNAL

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
