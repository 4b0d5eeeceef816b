"""How the commands of bundles end: an exit code for each family of errors, and nothing half done."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders.bundle_machines import NAME, Site, a_publisher, a_receiver, put_key
from tests.builders.remotes import a_docker_config
from tests.real.docker_registry import PASSWORD, USER, serve_docker_registry
from tests.real.registry_double import ServedDouble


@pytest.fixture
def publisher(tmp_path: Path) -> Site:
    return a_publisher(tmp_path / "publisher")


@pytest.fixture
def receiver(tmp_path: Path) -> Site:
    return a_receiver(tmp_path / "receiver")


def test_wrong_usage_is_2(publisher: Site, receiver: Site, tmp_path: Path) -> None:
    place = f"oci:{tmp_path}/layout"
    publisher.publish(place)
    put_key(publisher, "security")
    for site, words in [
        (receiver, ("pull", "no place at all")),
        (receiver, ("pull", place)),  # nothing says its name
        (receiver, ("pull", "127.0.0.1:1/x/y")),
        (receiver, ("pull", place, "--name", "two words")),
        (receiver, ("bundle", "verify", place, "--name", NAME)),
        (receiver, ("bundle", "verify", place, "--name", NAME, "--identity", "a")),
        (receiver, ("bundle", "verify", place, "--name", NAME, "--trusted-root", "policy.yaml")),
        (receiver, ("bundle", "verify", place, "--name", NAME, "--key", "keys/absent.pub")),
        (receiver, ("bundle", "verify", place, "--name", NAME, "--key", "policy.yaml")),
        (receiver, ("bundle", "verify", "policy.yaml", "--signature", "policy.yaml")),
        (receiver, ("bundle", "verify", "policy.yaml", "--signature", "x", "--policy", "policy.yaml", "--key", "x")),
        (publisher, ("push", f"oci:{tmp_path}/x:src-{'a' * 64}", "--name", NAME)),
        (publisher, ("push", place, "--name", NAME, "--key", "release.key")),
        (publisher, ("push", place, "--name", NAME, "--sign")),
        (publisher, ("push", place, "--name", NAME, "--sign", "--key", "absent.key")),
        (publisher, ("push", place, "--name", NAME, "--sign", "--key", "agent-sync.yaml")),
        (publisher, ("push", place, "--name", NAME, "--sign", "--key", "release.key", "--identity-token", "x")),
        (publisher, ("push", place, "--name", NAME, "--sign", "--trust-config", "agent-sync.yaml", "--offline")),
        (publisher, ("push", place, "--name", NAME, "--compress", "gzip")),
    ]:
        told = site.run(*words, code=2)
        assert told.err.startswith("error[usage]"), words
    wrong = publisher.run(
        "bundle", "sign", place, "--name", NAME, "--key", "security.key", code=2, AGENT_SYNC_KEY_PASSWORD="no"
    )
    assert "pass phrase" in wrong.err


def test_a_lock_that_is_another_one_is_4(publisher: Site, receiver: Site, tmp_path: Path) -> None:
    place = f"oci:{tmp_path}/layout"
    publisher.publish(place)
    assert "--write-lock" in receiver.run("pull", place, "--name", NAME, "--policy", "policy.yaml", code=4).err
    (publisher.directory / "agent-sync.lock").unlink()
    publisher.run("push", place, "--name", NAME, code=4)


def test_bytes_that_lie_are_5_and_too_much_is_13(publisher: Site, receiver: Site, tmp_path: Path) -> None:
    layout = tmp_path / "layout"
    publisher.publish(f"oci:{layout}")
    inspected = publisher.run("bundle", "inspect", f"oci:{layout}", "--json").document
    blob = layout / "blobs/sha256" / inspected["parts"][0]["layer"].removeprefix("sha256:")
    honest = blob.read_bytes()
    pull = ("pull", f"oci:{layout}", "--name", NAME, "--policy", "policy.yaml", "--write-lock")
    blob.write_bytes(honest.replace(b"a\na\n", b"b\nb\n"))
    assert "sha256" in receiver.run(*pull, code=5).err
    (layout / "index.json").write_bytes(b" " * (5 << 20))
    receiver.run(*pull, code=13)
    assert not receiver.machine.exists("agent-sync.lock")


def test_what_is_not_there_and_who_does_not_answer_are_8(
    receiver: Site, registry_double: ServedDouble, tmp_path: Path
) -> None:
    for place in (f"oci:{tmp_path}/none", f"oci-archive:{tmp_path}/none.tar", f"{registry_double.host}/team/none:v1"):
        receiver.run("pull", place, "--name", NAME, code=8)
    receiver.run("pull", "127.0.0.1:1/team/agents:v1", code=8)


def test_offline_a_registry_is_9(publisher: Site, receiver: Site, registry_double: ServedDouble) -> None:
    place = f"{registry_double.host}/team/agents:v1"
    for site, words in [
        (publisher, ("push", place)),
        (receiver, ("pull", place)),
        (receiver, ("bundle", "inspect", place)),
        (receiver, ("bundle", "copy", place, "oci:x")),
    ]:
        assert "--offline forbids connecting" in site.run(*words, "--offline", code=9).err
    assert registry_double.registry.blobs == {}


def test_what_the_file_system_refuses_is_17(publisher: Site, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    publisher.run("push", f"oci:{tmp_path}/file", "--name", NAME, code=17)
    publisher.run("push", f"oci-archive:{tmp_path}/file/agents.tar", "--name", NAME, code=17)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("mine\n")
    publisher.run("push", f"oci:{tmp_path}/mine", "--name", NAME, code=17)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]


def test_an_error_is_a_document_too(receiver: Site, tmp_path: Path) -> None:
    document = receiver.run("pull", f"oci:{tmp_path}/none", "--name", NAME, "--json", code=8).document
    assert document["error"]["rule"] == "not-there"
    assert document["exit_code"] == 8


def test_a_registry_that_wants_a_password_is_8_until_docker_knows_it(publisher: Site, tmp_path: Path) -> None:
    (tmp_path / "registry").mkdir()
    (tmp_path / "docker").mkdir()
    with serve_docker_registry(tmp_path / "registry", password=True) as server:
        words = ("push", f"{server.host}/team/agents:v1")
        assert "docker login" in publisher.run(*words, code=8).err
        for password, code in (("wrong", 8), (PASSWORD, 0)):
            a_docker_config(tmp_path / "docker" / "config.json", {server.host: f"{USER}:{password}"})
            told = publisher.run(*words, code=code, DOCKER_CONFIG=str(tmp_path / "docker"))
            assert password not in told.out + told.err
