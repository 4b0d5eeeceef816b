"""One run: whatever a verb does, there is text or one document, and the right exit code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agent_sync.cli.run import Answer, Session, Verb
from agent_sync.errors import Cancelled, LockMissing, NetworkError, PartialFailure
from agent_sync.events import BlobSetAside, CommandOutput, EditKept, Event, RolledBack, SourceStarted, Warned
from tests.builders.screens import ESC, here

MISSING = LockMissing(subject="agent-sync.lock", check="no such file", remedy="make one")


def a_verb(act: Callable[[Session], Answer | None] = lambda _: None, *, name: str = "sync") -> Verb:
    """A verb that acts, and then answers."""

    def run(session: Session) -> Answer:
        return act(session) or Answer({"done": True}, lines=("done",))

    return Verb(name, run)


def raising(error: BaseException, *events: Event) -> Verb:
    def act(session: Session) -> None:
        for event in events:
            session.observer(event)
        raise error

    return a_verb(act)


def announcing(*events: Event) -> Verb:
    def act(session: Session) -> None:
        for event in events:
            session.observer(event)

    return a_verb(act)


def test_an_answer_is_text_on_standard_output(tmp_path: Path) -> None:
    told = here(tmp_path).run_verb(a_verb())
    assert (told.code, told.out, told.err) == (0, "done\n", "")


def test_or_a_document(tmp_path: Path) -> None:
    told = here(tmp_path).run_verb(a_verb(), json=True)
    assert (told.code, told.err) == (0, "")
    assert told.document == {"schema_version": 1, "command": "sync", "exit_code": 0, "done": True, "warnings": []}


def test_a_document_has_only_ascii_and_is_whole_even_with_quiet(tmp_path: Path) -> None:
    verb = a_verb(lambda _: Answer({"path": "\x1b規\udc80"}))
    told = here(tmp_path).run_verb(verb, json=True, quiet=True)
    assert told.out.isascii()
    assert ESC not in told.out
    assert told.document["path"] == "\x1b規\udc80"


def test_quiet_writes_errors_only(tmp_path: Path) -> None:
    silent = here(tmp_path).run_verb(announcing(Warned("x", "y", "z")), quiet=True)
    assert (silent.code, silent.out, silent.err) == (0, "", "")
    told = here(tmp_path).run_verb(raising(MISSING), quiet=True)
    assert told.code == 4
    assert told.err.startswith("error[lock-missing]")


def test_an_error_is_text_on_standard_error(tmp_path: Path) -> None:
    told = here(tmp_path).run_verb(raising(MISSING))
    assert (told.code, told.out) == (4, "")
    assert told.err == "error[lock-missing]: agent-sync.lock: no such file\nhelp: make one\n"


def test_or_the_document_with_the_same_exit_code(tmp_path: Path) -> None:
    told = here(tmp_path).run_verb(raising(MISSING, Warned("odd", "a", "b")), json=True)
    assert (told.code, told.err) == (4, "")
    assert told.document == {
        "schema_version": 1,
        "command": "sync",
        "exit_code": 4,
        "error": {
            "rule": "lock-missing",
            "exit_code": 4,
            "subject": "agent-sync.lock",
            "check": "no such file",
            "remedy": "make one",
            "place": None,
        },
        "rolled_back": [],
        "warnings": [{"rule": "odd", "subject": "a", "message": "b", "place": None}],
    }


def test_a_failure_beside_an_answer_is_told_behind_it_and_decides_the_code(tmp_path: Path) -> None:
    failure = PartialFailure({"a": NetworkError(subject="source a", check="gone")}, succeeded=1)
    verb = a_verb(lambda _: Answer({"done": True}, lines=("the rest is done",), failure=failure))
    told = here(tmp_path).run_verb(verb)
    assert (told.code, told.out, told.err) == (14, "the rest is done\n", "error[network]: source a: gone\n")
    document = here(tmp_path).run_verb(verb, json=True).document
    assert document["done"] is True
    assert document["exit_code"] == 14
    assert document["error"]["rule"] == "partial-failure"
    assert [(each["source"], each["rule"]) for each in document["failures"]] == [("a", "network")]


def test_what_was_rolled_back_is_named(tmp_path: Path) -> None:
    events = (RolledBack((".cursor/a.md", ".cursor/b.md")), EditKept(".cursor/a.md", ".agent-sync/kept/1/a.md"))
    told = here(tmp_path).run_verb(raising(MISSING, *events))
    assert told.err.endswith(
        "rolled back; these files are as they were before:\n"
        "  .cursor/a.md\n  .cursor/b.md\n"
        "kept your edit of .cursor/a.md: .agent-sync/kept/1/a.md\n"
    )
    document = here(tmp_path).run_verb(raising(MISSING, *events), json=True).document
    assert document["rolled_back"] == [".cursor/a.md", ".cursor/b.md"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), Cancelled(subject="x", check="y")])
def test_an_interruption_ends_with_130(error: BaseException, tmp_path: Path) -> None:
    told = here(tmp_path).run_verb(raising(error, RolledBack(("a.md",))))
    assert told.code == 130
    assert told.err.startswith("interrupted; nothing half-written\nrolled back; ")
    document = here(tmp_path).run_verb(raising(error), json=True).document
    assert (document["exit_code"], document["error"]["rule"]) == (130, "cancelled")


def test_a_fault_of_ours_ends_with_70_and_says_how_to_report_it(tmp_path: Path) -> None:
    told = here(tmp_path).run_verb(raising(ZeroDivisionError("what \x1b[5m")))
    assert (told.code, told.out) == (70, "")
    assert "error[internal]: agent-sync sync: ZeroDivisionError: what \\x1b[5m\nhelp: " in told.err
    assert "report" in told.err
    assert "Traceback" not in told.err
    assert here(tmp_path).run_verb(raising(ZeroDivisionError()), json=True).document["error"]["rule"] == "internal"


def test_its_traceback_is_shown_with_verbose_only(tmp_path: Path) -> None:
    told = here(tmp_path).run_verb(raising(ZeroDivisionError("what")), verbose=True)
    assert "Traceback" in told.err
    assert "test_run.py" in told.err


def test_a_warning_is_told_at_once_and_once(tmp_path: Path) -> None:
    warning = Warned("stale", "source a", "it changed")
    told = here(tmp_path).run_verb(announcing(warning, warning, Warned("stale", "source b", "it changed")))
    assert told.err == "warning[stale]: source a: it changed\nwarning[stale]: source b: it changed\n"
    document = here(tmp_path).run_verb(announcing(warning, warning), json=True)
    assert [each["subject"] for each in document.document["warnings"]] == ["source a"]
    assert document.err == ""


def test_a_corrupt_blob_is_a_warning(tmp_path: Path) -> None:
    told = here(tmp_path).run_verb(announcing(BlobSetAside("sha256:00")))
    assert told.err.startswith("warning[blob-set-aside]: blob sha256:00: ")


def test_verbose_tells_more_and_what_commands_print_stays_text(tmp_path: Path) -> None:
    events = (SourceStarted("a"), CommandOutput("a", "one\x1b[2J\nerror[x]: y\n"))
    assert here(tmp_path).run_verb(announcing(*events)).err == ""
    assert here(tmp_path).run_verb(announcing(*events), verbose=True).err == (
        "source a: resolving\nsource a: output of its command\n  one\\x1b[2J\n  error[x]: y\n"
    )


def test_verbose_and_quiet_exclude_each_other(tmp_path: Path) -> None:
    told = here(tmp_path).run_verb(a_verb(), verbose=True, quiet=True)
    assert (told.code, told.out) == (2, "")
    assert "--verbose and --quiet" in told.err
