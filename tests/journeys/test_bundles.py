"""Bundles through the command line: out into directories, files and registries, and in again, with every exit code."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from agent_sync import Cancellation, Project, open_project
from agent_sync.errors import Cancelled
from agent_sync.events import Event, Progressed
from tests.builders.bundle_machines import NAME, RULES, Site, a_publisher, a_receiver, put_key, put_policy
from tests.builders.command_line import snapshot
from tests.builders.result_documents import documented_fields
from tests.real.docker_registry import DockerRegistry
from tests.real.registry_double import ServedDouble

OUTPUTS = {".cursor/rules/a.md": RULES["a_md"], ".cursor/rules/b.md": RULES["b_md"]}


@pytest.fixture
def publisher(tmp_path: Path) -> Site:
    return a_publisher(tmp_path / "publisher")


@pytest.fixture
def receiver(tmp_path: Path) -> Site:
    return a_receiver(tmp_path / "receiver")


@pytest.fixture(params=["oci:{}/layout", "oci-archive:{}/agents.tar", "docker-registry", "registry double"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Somewhere that both machines reach; each test has a place of its own."""
    if request.param == "docker-registry":
        server: DockerRegistry = request.getfixturevalue("docker_registry")
        return f"{server.host}/{tmp_path.name}/agents:v1".lower()
    if request.param == "registry double":
        double: ServedDouble = request.getfixturevalue("registry_double")
        return f"{double.host}/team/agents:v1"
    return str(request.param).format(tmp_path)


# -- there and back --------------------------------------------------------------------------------------------------


def test_a_signed_bundle_goes_from_machine_to_machine(publisher: Site, receiver: Site, place: str) -> None:
    digest = publisher.publish(place)
    inspected = publisher.run("bundle", "inspect", place).out
    for shown in (NAME, digest, "rules", "signature", "provenance", "bill of materials", "claimed signer: key"):
        assert shown in inspected
    verified = receiver.run("bundle", "verify", place, "--name", NAME, "--policy", "policy.yaml").out
    assert f"bundle {NAME} {digest[:19]}: trusted" in verified
    pulled = receiver.run("pull", place, "--name", NAME, "--policy", "policy.yaml", "--write-lock")
    assert "wrote agent-sync.lock" in pulled.out
    assert receiver.machine.lock_bytes == publisher.machine.lock_bytes
    receiver.run("sync", "--offline", "--frozen", "--policy", "policy.yaml")
    receiver.run("check", "--strict")
    assert receiver.machine.outputs() == OUTPUTS


def test_a_second_delivery_goes_the_same_way(publisher: Site, receiver: Site, tmp_path: Path) -> None:
    place = f"oci-archive:{tmp_path}/agents.tar"
    publisher.publish(place)
    take = ("pull", place, "--name", NAME, "--policy", "policy.yaml", "--write-lock")
    frozen = ("sync", "--offline", "--frozen", "--policy", "policy.yaml", "--prune")
    receiver.run(*take)
    receiver.run(*frozen)
    publisher.put("rules/c.md", "c\n")
    (publisher.directory / "rules/b.md").unlink()
    publisher.run("update", "--yes")
    publisher.publish(place)
    told = receiver.run(*take)
    assert "rules" in told.out  # what changes is shown
    receiver.run(*frozen)
    receiver.run("check", "--strict")
    assert receiver.machine.outputs() == {".cursor/rules/a.md": RULES["a_md"], ".cursor/rules/c.md": "c\n"}


def test_what_was_pushed_is_not_sent_again(publisher: Site, place: str) -> None:
    first = publisher.run("push", place, "--name", NAME, "--json").document
    again = publisher.run("push", place, "--name", NAME, "--json").document
    assert (first["sent"], again["sent"], again["present"]) == (["rules"], [], ["rules"])
    assert (again["sent_bytes"], again["digest"]) == (0, first["digest"])


def test_a_bundle_is_copied_in_every_direction_and_stays_what_it_was(
    publisher: Site, receiver: Site, docker_registry: DockerRegistry, registry_double: ServedDouble, tmp_path: Path
) -> None:
    start = f"{docker_registry.host}/copied/agents:v1"
    digest = publisher.publish(start)
    route = [
        start,
        f"oci:{tmp_path}/one:v1",
        f"{registry_double.host}/team/agents:v1",
        f"oci-archive:{tmp_path}/two.tar:v1",
        f"{docker_registry.host}/back/agents:v1",
        f"oci-archive:{tmp_path}/three.tar:v1",
        f"oci:{tmp_path}/four:v1",
    ]
    for here, there in itertools.pairwise(route):
        assert publisher.run("bundle", "copy", here, there, "--json").document["digest"] == digest
        receiver.run("bundle", "verify", there, "--name", NAME, "--policy", "policy.yaml")
    again = publisher.run("bundle", "copy", route[0], route[-1], "--json").document
    assert (again["blobs"], again["bytes"]) == (0, 0)


@pytest.mark.parametrize("compress", ["zstd", "none"])
def test_the_same_lock_is_the_same_bundle_whichever_machine_pushes_it(
    publisher: Site, tmp_path: Path, compress: str
) -> None:
    other = Site(publisher.machine.another("other"))
    words = ("--name", NAME, "--compress", compress, "--json")
    digests = {
        site.run("push", f"{kind}:{tmp_path}/{kind}-{number}", *words).document["digest"]
        for number, site in enumerate((publisher, other))
        for kind in ("oci", "oci-archive")
    }
    assert len(digests) == 1
    layouts = [tmp_path / f"oci-{number}" for number in (0, 1)]
    assert snapshot(layouts[0]) == snapshot(layouts[1])
    archives = [(tmp_path / f"oci-archive-{number}").read_bytes() for number in (0, 1)]
    assert archives[0] == archives[1]


# -- an air gap without a network ------------------------------------------------------------------------------------


def test_only_what_is_new_travels_and_the_receiver_refuses_what_is_not_whole(
    publisher: Site, receiver: Site, tmp_path: Path
) -> None:
    layout = f"oci:{tmp_path}/layout"
    publisher.put("more/x.md", "x\n" * 5000)
    publisher.put("agent-sync.yaml", _with_more((publisher.directory / "agent-sync.yaml").read_text()))
    publisher.run("update", "--yes")
    publisher.publish(f"{layout}:v1")
    (tmp_path / "v1.lock").write_bytes(publisher.machine.lock_bytes)
    publisher.put("rules/c.md", "c\n")
    publisher.run("update", "--yes")
    publisher.publish(f"{layout}:v2")
    for name, since in (("by-lock", str(tmp_path / "v1.lock")), ("by-bundle", f"{layout}:v1")):
        target = f"oci-archive:{tmp_path}/{name}.tar"
        told = publisher.run("bundle", "copy", f"{layout}:v2", target, "--since", since, "--json")
        assert told.document["skipped"] > 0
    publisher.run("bundle", "copy", f"{layout}:v2", f"oci-archive:{tmp_path}/whole.tar")
    delta, whole = (tmp_path / f"{name}.tar" for name in ("by-lock", "whole"))
    assert delta.stat().st_size < whole.stat().st_size

    words = ("--name", NAME, "--policy", "policy.yaml", "--write-lock")
    refused = receiver.run("pull", f"oci-archive:{delta}", *words, code=9)
    assert "nor in the cache" in refused.err
    assert not receiver.machine.exists("agent-sync.lock")
    receiver.run("pull", f"{layout}:v1", *words)
    for name in ("by-lock", "by-bundle"):
        receiver.run("pull", f"oci-archive:{tmp_path}/{name}.tar", *words)
    assert receiver.machine.lock_bytes == publisher.machine.lock_bytes
    receiver.run("sync", "--offline", "--frozen")
    receiver.run("check")
    copied = publisher.run("bundle", "copy", f"oci-archive:{delta}", f"oci:{tmp_path}/empty", code=9)
    assert "copy the whole bundle" in copied.err
    assert "latest" not in publisher.run("bundle", "inspect", f"oci:{tmp_path}/empty", code=8).out


def _with_more(config: str) -> str:
    source = "  - name: more\n    type: local\n    path: ./more/\ntargets:\n  - source: more\n    destination: .more/\n"
    return config.replace("targets:\n", source)


# -- who must have signed --------------------------------------------------------------------------------------------


def test_two_keys_must_have_signed_and_the_second_signs_where_it_lies(publisher: Site, tmp_path: Path) -> None:
    place = f"oci-archive:{tmp_path}/agents.tar"
    digest = publisher.publish(place)
    receiver = a_receiver(tmp_path / "receiver", "release", "security", threshold=2)
    verify = ("bundle", "verify", place, "--name", NAME, "--policy", "policy.yaml")
    assert receiver.run(*verify, code=6).out.count("1 of 2 signatures") == 1
    security = a_receiver(tmp_path / "security")
    put_key(security, "security")
    signed = security.run("bundle", "sign", f"{place}@{digest}", "--name", NAME, "--key", "security.key")
    assert f"signed {NAME} {digest[:19]}" in signed.out
    document = receiver.run(*verify, "--json").document
    assert document["accepted"]
    assert [rule["satisfied"] for rule in document["rules"]] == [True]
    receiver.run("pull", place, "--name", NAME, "--policy", "policy.yaml", "--write-lock")


def test_a_signer_that_changes_is_shown_and_must_be_accepted(publisher: Site, receiver: Site, tmp_path: Path) -> None:
    place = f"oci:{tmp_path}/layout"
    publisher.publish(place)
    pull = ("pull", place, "--name", NAME, "--policy", "policy.yaml", "--write-lock")
    receiver.run(*pull)
    put_key(publisher, "next")
    publisher.put("rules/c.md", "c\n")
    publisher.run("update", "--yes")
    publisher.run("push", place, "--name", NAME, "--sign", "--key", "next.key")
    put_policy(receiver, "next")
    before = snapshot(receiver.directory)
    refused = receiver.run(*pull, code=6)
    assert "when last pulled" in refused.err
    assert snapshot(receiver.directory) == before
    receiver.run(*pull, "--accept-signer-change")


def test_without_a_policy_somebody_must_say_that_an_unsigned_bundle_will_do(
    publisher: Site, receiver: Site, tmp_path: Path
) -> None:
    place = f"oci:{tmp_path}/layout"
    digest = publisher.run("push", place, "--name", NAME, "--json").document["digest"]
    pull = ("--name", NAME, "--write-lock")
    assert "--allow-unsigned" in receiver.run("pull", place, *pull, code=6).err
    receiver.run("pull", f"{place}@{digest}", *pull)
    receiver.run("pull", place, "--name", NAME)  # its lock is byte for byte the one that is here now
    assert "agent-sync.lock is up to date" in receiver.run("pull", place, *pull, "--allow-unsigned").out
    receiver.run("pull", place, *pull, "--allow-unsigned", "--policy", "policy.yaml", code=6)


def test_the_machines_policy_holds_under_every_flag(publisher: Site, receiver: Site, tmp_path: Path) -> None:
    place = f"oci:{tmp_path}/layout"
    publisher.run("push", place, "--name", NAME)
    words = ("pull", place, "--name", NAME, "--write-lock", "--allow-unsigned", "--no-inherit")
    receiver.run(*words)
    receiver.machine.variables["AGENT_SYNC_POLICY"] = str(receiver.directory / "policy.yaml")
    receiver.run(*words, code=6)
    for flags in (("--frozen",), ("--frozen", "--offline"), ("--frozen", "--no-inherit"), ("--frozen", "--dry-run")):
        assert "missing: " in receiver.run("sync", *flags, code=6).err
    publisher.publish(place)
    receiver.run("pull", place, "--name", NAME)
    receiver.run("sync", "--frozen", "--offline")


def test_what_is_revoked_is_refused_though_it_is_signed(publisher: Site, receiver: Site, tmp_path: Path) -> None:
    place = f"oci:{tmp_path}/layout"
    digest = publisher.publish(place)
    pull = ("pull", place, "--name", NAME, "--policy", "policy.yaml", "--write-lock")
    receiver.run(*pull)
    put_policy(receiver, "release", more=f"  revoked:\n  - {{digest: '{digest}', reason: leaked token}}\n")
    assert "leaked token" in receiver.run(*pull, code=6).err
    assert "leaked token" in receiver.run("sync", "--frozen", "--policy", "policy.yaml", code=6).err
    assert (
        "leaked token" in receiver.run("bundle", "verify", place, "--name", NAME, "--policy", "policy.yaml", code=6).out
    )


# -- what is told ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["push", "pull", "bundle_inspect", "bundle_verify", "bundle_sign", "bundle_copy"])
def test_every_document_has_the_fields_that_are_documented(
    publisher: Site, receiver: Site, tmp_path: Path, verb: str
) -> None:
    place = f"oci:{tmp_path}/layout"
    publisher.publish(place)
    words = {
        "push": (publisher, "push", place, "--name", NAME),
        "pull": (receiver, "pull", place, "--name", NAME, "--policy", "policy.yaml", "--write-lock"),
        "bundle_inspect": (receiver, "bundle", "inspect", place),
        "bundle_verify": (receiver, "bundle", "verify", place, "--name", NAME, "--policy", "policy.yaml"),
        "bundle_sign": (publisher, "bundle", "sign", place, "--name", NAME, "--key", "release.key"),
        "bundle_copy": (publisher, "bundle", "copy", place, f"oci:{tmp_path}/other"),
    }[verb]
    site, *said = words
    assert isinstance(site, Site)
    document = site.run(*map(str, said), "--json").document
    assert document.keys() == documented_fields(verb.replace("_", " ")) - {"signer", "states", "logged"}


def test_at_a_terminal_the_lock_is_asked_for(publisher: Site, receiver: Site, tmp_path: Path) -> None:
    place = f"oci:{tmp_path}/layout"
    publisher.publish(place)
    words = ("pull", place, "--name", NAME, "--policy", "policy.yaml", "--write-lock")
    declined = receiver.run(*words, at_terminal=True, typed="n\n", code=1)
    assert "Write agent-sync.lock? [y/N]" in declined.err
    assert "declined" in declined.out
    assert not receiver.machine.exists("agent-sync.lock")
    assert not (receiver.store / "blobs").exists()
    receiver.run(*words, at_terminal=True, typed="y\n")
    receiver.run(*words, "--yes", at_terminal=True)
    assert receiver.machine.exists("agent-sync.lock")


# -- stopped ---------------------------------------------------------------------------------------------------------


def test_what_is_cancelled_leaves_nothing_half_done(publisher: Site, receiver: Site, tmp_path: Path) -> None:
    """At each thing that happens on the way: no archive, no lock; and the next run succeeds."""
    place = f"oci-archive:{tmp_path}/agents.tar"
    for number in range(2):
        with pytest.raises(Cancelled):
            _stopped_at(number, publisher).push(place, name=NAME)
        assert not (tmp_path / "agents.tar").exists()
    publisher.publish(place)
    for number in range(2):
        with pytest.raises(Cancelled):
            _stopped_at(number, receiver).pull(place, name=NAME, write_lock=True, allow_unsigned=True)
        assert not receiver.machine.exists("agent-sync.lock")
    receiver.run("pull", place, "--name", NAME, "--policy", "policy.yaml", "--write-lock")


def _stopped_at(number: int, site: Site) -> Project:
    """The project, which somebody wants to stop after so many events of progress."""
    stop, events = Cancellation(), itertools.count()

    def hear(event: Event) -> None:
        if isinstance(event, Progressed) and next(events) == number:
            stop.cancel()

    project = open_project(str(site.directory), observer=hear, environment={"HOME": str(site.machine.home)})
    return project.within(cancellation=stop)
