"""Credential helpers that hang, configurations that make no sense, tokens that expire (hostile-input: Registries)."""

from __future__ import annotations

import io
import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from agent_sync_oci.errors import FileSystemError
from agent_sync_oci.http.network import Network
from agent_sync_oci.registry.remote.credentials import DockerCredentials
from tests.builders.artifacts import blob_of, described, put_artifact, put_blob
from tests.builders.remotes import a_docker_config, a_remote, refused
from tests.real.answers import behind_password
from tests.real.registry_double import ServedDouble, serve_double
from tests.real.token_login import TokenLogin

CONTENT = b"be kind\n" * 5000


def _guarded(config: Path | None, work: Callable[[ServedDouble], None] = lambda _: None) -> None:
    """Asks a registry behind ann's password for its tags."""
    with serve_double(around=lambda answer: behind_password(answer, user="ann", password="s3cr3t")) as double:
        with a_remote(double.host, docker_config=config, helper_timeout_s=0.5) as registry:
            registry.tags()
        work(double)


# -- helpers -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A directory that comes first on PATH."""
    directory = tmp_path / "programs"
    directory.mkdir()
    os.environ["PATH"] = f"{directory}:{os.environ['PATH']}"
    return directory


def _a_helper(programs: Path, script: str) -> Path:
    """A docker configuration that leaves everything to a helper, which does this."""
    program = programs / "docker-credential-tests"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return a_docker_config(programs / "config.json", {}, credsStore="tests")


def test_a_helper_logs_in(programs: Path, tmp_path: Path) -> None:
    config = _a_helper(programs, f"""cat > {tmp_path}/asked; echo '{{"Username": "ann", "Secret": "s3cr3t"}}'""")
    _guarded(config, lambda double: _asked_for(tmp_path, double))


def _asked_for(tmp_path: Path, double: ServedDouble) -> None:
    assert (tmp_path / "asked").read_text() == double.host


def test_a_helper_that_hangs_is_ended_with_all_that_it_started(programs: Path, tmp_path: Path) -> None:
    config = _a_helper(programs, f"sleep 1000 & echo $! > {tmp_path}/child; wait")
    start = time.monotonic()
    error = refused(lambda: _guarded(config))
    assert "within 0.5 s" in error.check
    assert time.monotonic() - start < 5
    child = int((tmp_path / "child").read_text())
    while Path(f"/proc/{child}/stat").exists() and ") Z " not in Path(f"/proc/{child}/stat").read_text():
        assert time.monotonic() - start < 10
        time.sleep(0.01)


def test_a_helper_that_leaves_somebody_behind_with_its_output_is_not_waited_for(programs: Path) -> None:
    config = _a_helper(programs, "sleep 1000 & exit 0")
    assert "within 0.5 s" in refused(lambda: _guarded(config)).check


@pytest.mark.parametrize(
    "script",
    [
        "exit 3",
        "echo s3cr3t; exit 1",
        "echo s3cr3t",
        """echo '{"Username": "s3cr3t"}'""",
        "echo '[1]'",
        "printf '\\377'",
        "kill -9 $$",
        "head -c 100000 /dev/zero | tr '\\0' '['",
    ],
)
def test_a_helper_that_fails_is_an_error_that_does_not_quote_it(script: str, programs: Path) -> None:
    error = refused(lambda: _guarded(_a_helper(programs, script)))
    assert "docker-credential-tests" in error.subject


def test_a_helper_that_has_nothing_is_no_login(programs: Path) -> None:
    config = _a_helper(programs, "echo credentials not found in native keychain; exit 1")
    assert "there is none" in refused(lambda: _guarded(config)).check


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("nobody-has-this-one", "cannot be run"),
        ("../../bin/sh", "cannot be the name"),
        ("-c", "cannot be the name"),
        ("a\0b", "cannot be the name"),
        ("", "there is none"),
    ],
)
def test_a_helper_that_is_no_program_of_this_name_is_an_error(name: str, why: str, tmp_path: Path) -> None:
    config = a_docker_config(tmp_path / "config.json", {}, credsStore=name)
    assert why in refused(lambda: _guarded(config)).check


def test_a_helper_for_one_host_is_not_asked_for_another(programs: Path, tmp_path: Path) -> None:
    _a_helper(programs, f"touch {tmp_path}/called")
    config = a_docker_config(tmp_path / "config.json", {}, credHelpers={"other.example": "tests"})
    refused(lambda: _guarded(config))
    assert not (tmp_path / "called").exists()


# -- configurations ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "s3cr3t",
        "[" * 100_000,
        '{"auths": ["x"]}',
        '{"auths": {"x": "s3cr3t"}}',
        '{"credHelpers": {"x": 7}}',
        '{"credsStore": {"x": 1}}',
        '{"auths": {}, "auths": {}}',
    ],
)
def test_a_configuration_that_makes_no_sense_is_an_error_that_does_not_quote_it(text: str, tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(text)
    assert "config.json" in refused(lambda: _guarded(config)).subject


@pytest.mark.parametrize("auth", ["czNjcjN0", "ann:s3cr3t", "YTpi\r\nX: y", "YTpi\u00e9", 7])
def test_a_login_that_is_none_is_not_sent(auth: object, tmp_path: Path) -> None:
    with serve_double(around=lambda answer: behind_password(answer, user="ann", password="s3cr3t")) as double:
        config = tmp_path / "config.json"
        config.write_text(json.dumps({"auths": {double.host: {"auth": auth}}}))
        with a_remote(double.host, docker_config=config) as registry:
            assert "base64" in refused(registry.tags).check
        assert [request.headers.get("authorization") for request in double.requests] == [None]


def test_a_configuration_that_cannot_be_read_is_an_error_and_a_missing_one_is_none(tmp_path: Path) -> None:
    error = refused(lambda: _guarded(tmp_path))
    assert isinstance(error, FileSystemError)
    assert "cannot be read" in error.check
    for missing in (tmp_path / "nothing.json", None):
        assert "there is none" in refused(partial(_guarded, missing)).check


def test_the_configuration_is_not_looked_at_unless_a_registry_asks_who_we_are(
    tmp_path: Path, registry_double: ServedDouble
) -> None:
    (tmp_path / "config.json").write_text("nonsense")
    with a_remote(registry_double.host, docker_config=tmp_path / "config.json") as registry:
        assert registry.tags() == ()


def test_what_belongs_to_docker_hub_is_found_under_its_old_name(tmp_path: Path) -> None:
    config = a_docker_config(tmp_path / "config.json", {"https://index.docker.io/v1/": "ann:s3cr3t"})
    keyring = DockerCredentials(Network(docker_config=config))
    assert keyring.of("registry-1.docker.io") == keyring.of("docker.io") == "YW5uOnMzY3IzdA=="
    assert keyring.of("registry.example") is None


# -- tokens ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("uses", [1, 2, 3])
def test_a_token_that_expires_in_the_middle_of_a_push_is_renewed(uses: int, tmp_path: Path) -> None:
    logins: list[TokenLogin] = []
    with serve_double(around=lambda answer: _tokens(answer, logins, uses)) as double:
        config = a_docker_config(tmp_path / "config.json", {double.host: "ann:s3cr3t"})
        with a_remote(double.host, docker_config=config) as registry:
            manifest = put_artifact(registry, CONTENT, CONTENT[1:], tag="v1")
            assert registry.manifest("v1") == manifest
            assert blob_of(registry, manifest.layers[0]) == CONTENT
        assert len(logins[0].given) >= 12 // uses


def _tokens(answer: object, logins: list[TokenLogin], uses: int) -> Callable[..., None]:
    logins.append(TokenLogin(answer, user="ann", password="s3cr3t", uses=uses))  # type: ignore[arg-type]
    return logins[0].answer


def test_a_token_is_asked_for_once_for_reading_and_once_for_writing(tmp_path: Path) -> None:
    logins: list[TokenLogin] = []
    with serve_double(around=lambda answer: _tokens(answer, logins, 10**6)) as double:
        config = a_docker_config(tmp_path / "config.json", {double.host: "ann:s3cr3t"})
        with a_remote(double.host, docker_config=config) as registry, ThreadPoolExecutor(8) as pool:
            contents = [CONTENT + b"%d" % number for number in range(24)]
            assert list(pool.map(lambda content: put_blob(registry, content).size, contents)) == [
                len(content) for content in contents
            ]
            assert all(pool.map(lambda content: blob_of(registry, described(content)) == content, contents))
        assert sorted(logins[0].scopes) == [["repository:team/agents:pull"], ["repository:team/agents:pull,push"]]


def test_a_mount_asks_for_the_other_repository_as_well(tmp_path: Path) -> None:
    logins: list[TokenLogin] = []
    with serve_double(around=lambda answer: _tokens(answer, logins, 10**6)) as double:
        config = a_docker_config(tmp_path / "config.json", {double.host: "ann:s3cr3t"})
        with (
            a_remote(double.host, docker_config=config) as registry,
            a_remote(double.host, "team/mirror", docker_config=config) as mirror,
        ):
            blob = put_blob(registry, CONTENT)
            mirror.put_blob(blob, io.BytesIO, mount_from="team/agents")
            assert blob_of(mirror, blob) == CONTENT
        assert "repository:team/mirror:pull,push repository:team/agents:pull" in [
            scopes[0] for scopes in logins[0].scopes
        ]
