"""The audit stream: whatever a verb decides is announced before it is committed, and undone if that fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count
from typing import NoReturn

import pytest

from agent_sync.errors import ContentRefused, FileSystemError, MovedMeanwhile, PartialFailure, Untrusted
from agent_sync.events import (
    AuditEvent,
    AuditRecord,
    BundleAccepted,
    BundlePushed,
    EditRestored,
    LockWritten,
    OutputsApplied,
    Refused,
    Undone,
)
from agent_sync.project import Project
from agent_sync_oci.digest import Digest
from tests.builders.bundles import POLICY, V1, a_receiver, a_sender, demand, push
from tests.builders.projects import MemoryProject, a_local_project
from tests.builders.signatures import a_key
from tests.fakes.faults import Faults, an_error
from tests.fakes.git import MemoryGit

OUTPUT = ".cursor/rules/a.md"
INHERITED = ".agent-sync/inherited.lock"


@dataclass
class Log:
    """Every record, and the runs numbered."""

    records: list[AuditRecord] = field(default_factory=list)
    runs: count[int] = field(default_factory=lambda: count(1))

    def of(self, project: MemoryProject, **options: object) -> Project:
        """The project, whose verbs are recorded here."""
        opened = project.project(**options)
        world = replace(
            opened.world, audit=self.records.append, actor="uid:7", new_run=lambda: f"run {next(self.runs)}"
        )
        return replace(opened, world=world)

    @property
    def events(self) -> list[AuditEvent]:
        return [record.event for record in self.records]


def digest(text: str) -> Digest:
    return Digest.of(text.encode())


def test_update_and_sync_leave_a_record_each_with_run_actor_operation_and_digests() -> None:
    project, log = a_local_project(), Log()
    log.of(project).update()
    log.of(project).sync()
    assert log.records == [
        AuditRecord("run 1", "uid:7", "update", LockWritten("agent-sync.lock", None, digest(project.lock))),
        AuditRecord("run 2", "uid:7", "sync", OutputsApplied(digest(project.lock), (OUTPUT,), ())),
    ]


def test_what_changes_nothing_leaves_no_record() -> None:
    project, log = a_local_project(), Log()
    project.project().update()
    project.project().sync()
    opened = log.of(project)
    opened.update()
    opened.sync()
    opened.sync(dry_run=True)
    opened.prune()
    opened.migrate()
    opened.check()
    opened.status()
    assert log.records == []


def test_the_digests_are_those_before_and_after() -> None:
    project, log = a_local_project(), Log()
    project.project().update()
    before = project.lock
    project.put("rules/a.md", "new\n")
    log.of(project).update()
    assert log.events == [LockWritten("agent-sync.lock", digest(before), digest(project.lock))]


def test_the_lock_of_a_users_layer_is_recorded_too() -> None:
    project, log = a_local_project(), Log()
    project.layers["/home/.config/agent-sync/agent-sync.yaml"] = (
        b"version: 1\nsources:\n  - {name: mine, type: local, path: ./mine/}\n"
        b"targets:\n  - {source: mine, destination: .mine/}\n"
    )
    project.put("mine/m.md", "m\n")
    log.of(project).update()
    assert [event.path for event in log.events if isinstance(event, LockWritten)] == ["agent-sync.lock", INHERITED]
    del project.layers["/home/.config/agent-sync/agent-sync.yaml"]
    log.of(project).update()
    assert log.events[-1] == LockWritten(INHERITED, log.events[1].after, None)  # type: ignore[union-attr]


def test_prune_and_restore_are_recorded() -> None:
    project, log = a_local_project(), Log()
    project.project().update()
    project.project().sync()
    project.put(OUTPUT, "mine\n")
    project.project().sync()
    log.of(project).restore(OUTPUT)
    project.project().sync()
    project.put("agent-sync.yaml", project.read("agent-sync.yaml").replace("cursor", "cline"))
    log.of(project).prune()
    restored, applied, written = log.events
    assert restored == EditRestored(OUTPUT)
    assert isinstance(applied, OutputsApplied)
    assert applied.removed == (OUTPUT,)
    assert isinstance(written, LockWritten)


def test_a_sync_that_fails_at_any_call_is_recorded_as_undone() -> None:
    undone = 0
    for number in count():
        project, log = a_local_project(), Log()
        project.project().update()
        faults = Faults(number, error=an_error)
        failure = faults.during(log.of(project).sync, project.directory)
        if not faults.happened:
            break
        if log.events and isinstance(failure, FileSystemError):
            assert [type(event) for event in log.events] == [OutputsApplied, Undone]
            assert log.events[1] == Undone("file-system")
            assert OUTPUT not in project.files
            undone += 1
    assert undone > 5


def test_whoever_records_can_prevent_the_change() -> None:
    project = a_local_project()
    opened = project.project()

    def full(_: AuditRecord) -> None:
        raise FileSystemError(subject="audit log", check="no space left")

    opened = replace(opened, world=replace(opened.world, audit=full))
    with pytest.raises(FileSystemError, match="audit log"):
        opened.update()
    assert "agent-sync.lock" not in project.files
    project.project().update()
    with pytest.raises(FileSystemError, match="audit log"):
        opened.sync()
    assert OUTPUT not in project.files


def test_what_the_content_gate_refuses_is_recorded() -> None:
    project, log = a_local_project(rules={"a.md": "hidden \N{RIGHT-TO-LEFT OVERRIDE}text\n"}), Log()
    result = log.of(project).update()
    [event] = log.events
    assert isinstance(event, Refused)
    assert (event.rule, result.failures["rules"].check) == ("content-refused", event.check)


def test_what_a_policy_refuses_at_sync_is_recorded() -> None:
    project, log = a_local_project("trust: {require: signed}\n"), Log()
    project.project().update()
    with pytest.raises(Untrusted) as refused:
        log.of(project).sync()
    assert log.events == [Refused(refused.value.subject, "untrusted", refused.value.check)]


def test_a_plan_that_moved_leaves_no_record() -> None:
    project, log = a_local_project(), Log()

    def answer(_: object) -> bool:
        project.put("agent-sync.lock", "version: 1\n")
        return True

    with pytest.raises(MovedMeanwhile):
        log.of(project).update(confirm=answer)
    assert log.records == []


def test_a_bundle_is_recorded_where_it_is_pushed_and_where_it_is_accepted() -> None:
    sender, log = a_local_project(), Log()
    sender.project().update()
    where = "registry.example.com/team/agents:v1"
    pushed = log.of(sender).push(where)
    receiver = sender.another_checkout()
    pulled = log.of(receiver).pull(where, allow_unsigned=True)
    assert log.events == [
        BundlePushed(pushed.name, pushed.digest, where, signed=False),
        BundleAccepted(pulled.name, pulled.digest, signed=False),
    ]
    assert [record.operation for record in log.records] == ["push", "pull"]


def test_a_bundle_that_is_refused_is_recorded() -> None:
    sender, log = a_local_project("trust: {require: signed}\n"), Log()
    sender.project().update()
    sender.project().push("registry.example.com/team/agents:v1")
    with pytest.raises(Untrusted) as refused:
        log.of(sender.another_checkout()).pull("registry.example.com/team/agents:v1")
    assert log.events == [Refused(refused.value.subject, "untrusted", refused.value.check)]


def test_a_bundle_that_is_not_trusted_is_recorded_where_it_is_only_verified() -> None:
    sender, log = a_sender(), Log()
    pushed = push(sender, key=a_key())
    receiver = a_receiver(sender)
    demand(receiver, a_key())
    verdict = log.of(receiver).bundle_verify(V1).verdict
    [record] = log.records
    assert record.operation == "bundle verify"
    assert record.event == Refused(f"bundle {pushed.name} {pushed.digest}", "untrusted", "; ".join(verdict.refusals))


def test_a_refusal_is_recorded_on_every_road() -> None:
    """A policy whose key is missing, and one that the configuration breaks: no verb goes past them unseen."""
    project = a_sender()
    push(project)
    demand(project, a_key())
    del project.layers["/etc/agent-sync/key-0.pub"]
    verbs: dict[str, Callable[[Project], object]] = {
        "sync": lambda opened: opened.sync(),
        "sync --frozen": lambda opened: opened.sync(frozen=True),
        "pull": lambda opened: opened.pull(V1),
        "bundle verify": lambda opened: opened.bundle_verify(V1),
        "nix export": lambda opened: opened.nix_export("/export"),
    }
    for verb, run in verbs.items():
        log = Log()
        with pytest.raises(Untrusted, match="no such file"):
            run(log.of(project))
        assert [(record.operation, type(record.event)) for record in log.records] == [(verb.split(" --")[0], Refused)]
    project.layers[POLICY] = b"security: {templates: off}\n"
    project.put("agent-sync.yaml", project.read("agent-sync.yaml") + "transforms:\n- {source: rules, type: template}\n")
    for verb in ("update", "sync", "check", "verify", "status", "diff", "prune", "info", "nix_import"):
        log = Log()
        with pytest.raises(Untrusted, match="switched off"):
            getattr(log.of(project), verb)()
        assert [type(event) for event in log.events] == [Refused], verb


class RefusingGit(MemoryGit):
    """A git host whose every address is refused, such as one with an encoded line break."""

    def open(self, repo: str, **_: object) -> NoReturn:
        raise Untrusted(subject=f"repository {repo}", check="address is not what it seems", remedy="correct it")


@pytest.mark.parametrize("verb", ["update", "verify"])
def test_what_a_source_refuses_is_recorded_though_the_verb_goes_on(verb: str) -> None:
    project, log = replace(a_local_project(), git=RefusingGit()), Log()
    project.project().update()
    declared = "sources:\n  - {name: team, type: git, repo: 'https://git.example.com/team.git', ref: v1}"
    project.put("agent-sync.yaml", project.read("agent-sync.yaml").replace("sources:", declared))
    result = getattr(log.of(project), verb)()
    assert isinstance(result.failures["team"], Untrusted)
    assert [type(event) for event in log.events] == [Refused]


def test_of_several_refusals_each_is_recorded() -> None:
    log = Log()
    failures = {
        "a": Untrusted(subject="source a", check="refused", remedy=""),
        "b": FileSystemError(subject="source b", check="failed"),
        "c": ContentRefused(subject="source c", check="refused", remedy=""),
    }
    with pytest.raises(PartialFailure), log.of(a_local_project()).run("sync"):
        raise PartialFailure(failures, succeeded=0)
    assert [event.subject for event in log.events if isinstance(event, Refused)] == ["source a", "source c"]
