"""Servers that hang, lie, redirect and talk too much, and logins that must not be seen (hostile-input: Git, HTTP)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent_sync.errors import AgentSyncError, Cancelled, LimitExceeded, NetworkError, Untrusted
from agent_sync.ports import Cancellation
from tests.builders.git_hosts import WITHOUT_GIT, a_git_host
from tests.builders.repositories import GitRepository, a_git_repository
from tests.real.answers import a_redirect, a_status, endless, html, nothing
from tests.real.authority import Authority
from tests.real.git_http import serve_git
from tests.real.http_server import Answer, Reply, Request, serve

ADVERTISEMENT = "application/x-git-upload-pack-advertisement"


@pytest.fixture
def rules(tmp_path: Path) -> GitRepository:
    """The repository that is served as rules.git."""
    return a_git_repository(tmp_path / "rules.git", {"a.md": "a\n"})


@pytest.fixture(params=["git", "libgit2"])
def environment(request: pytest.FixtureRequest, authority: Authority) -> dict[str, str]:
    trusted = {"SSL_CERT_FILE": str(authority.ca_file)}
    return trusted if request.param == "git" else {**trusted, **WITHOUT_GIT}


def _content(
    directory: Path, address: str, environment: dict[str, str], *, timeout_s: float = 60.0, max_bytes: int = 10**8
) -> bytes:
    """The only file of HEAD behind the address."""
    with a_git_host(directory, environment).open(
        address, timeout_s=timeout_s, max_bytes=max_bytes, cancellation=Cancellation()
    ) as repository:
        commit = repository.advertised()["HEAD"]
        repository.fetch([commit], without_blobs=False)
        (entry,) = repository.entries(repository.commit(commit).tree)
        return bytes(repository.blob(entry.oid))


def _refusal(directory: Path, address: str, environment: dict[str, str], *, timeout_s: float = 60.0) -> AgentSyncError:
    with pytest.raises(AgentSyncError) as caught:
        _content(directory, address, environment, timeout_s=timeout_s)
    assert caught.value.remedy
    assert str(caught.value).isprintable()
    return caught.value


def _lines(*lines: bytes) -> bytes:
    """gitprotocol-common(5): each line with its length in front; an empty one is a flush."""
    return b"".join(b"%04x%s" % (len(line) + 4, line) if line else b"0000" for line in lines)


def _advertising(*lines: bytes) -> Answer:
    body = _lines(b"# service=git-upload-pack\n", b"", *lines)
    return a_status(200, headers={"Content-Type": ADVERTISEMENT}, body=body)


@pytest.mark.usefixtures("rules")
def test_the_machines_own_authorities_are_trusted(
    tmp_path: Path, authority: Authority, environment: dict[str, str]
) -> None:
    with serve_git(tmp_path, authority=authority) as server:
        assert _content(tmp_path, server.url("rules.git"), environment) == b"a\n"


@pytest.mark.usefixtures("rules")
def test_an_unknown_authority_is_not_trusted(tmp_path: Path, authority: Authority, environment: dict[str, str]) -> None:
    strangers = {**environment, "SSL_CERT_FILE": "", "GIT_SSL_NO_VERIFY": "1"}
    with serve_git(tmp_path, authority=authority) as server:
        error = _refusal(tmp_path, server.url("rules.git"), strangers)
    assert isinstance(error, NetworkError)
    assert "GIT_SSL_CAINFO" in (error.remedy or "")


@pytest.mark.parametrize("target", ["http", "file", "link-local"])
def test_a_redirect_away_from_https_is_refused(
    tmp_path: Path, rules: GitRepository, authority: Authority, environment: dict[str, str], target: str
) -> None:
    with serve_git(tmp_path) as plain:
        tail = "/info/refs?service=git-upload-pack"
        places = {
            "http": plain.url("rules.git") + tail,
            "file": f"file://{rules.path}{tail}",
            "link-local": f"http://169.254.169.254/latest{tail}",
        }
        with serve(a_redirect(places[target]), authority=authority) as server:
            error = _refusal(tmp_path, f"{server.url}/rules.git", environment)
        assert isinstance(error, (NetworkError, Untrusted))
        assert plain.requests == []


@pytest.mark.usefixtures("rules")
def test_a_redirect_from_http_to_http_is_refused(tmp_path: Path) -> None:
    """So none leads to a machine that only this one can reach."""
    with serve_git(tmp_path) as plain:
        to = plain.url("rules.git") + "/info/refs?service=git-upload-pack"
        with serve(a_redirect(to)) as server:
            error = _refusal(tmp_path, f"{server.url}/rules.git", {})
        assert isinstance(error, Untrusted)
        assert plain.requests == []


@pytest.mark.usefixtures("rules")
def test_a_redirect_to_https_is_followed(tmp_path: Path, authority: Authority, environment: dict[str, str]) -> None:
    with serve_git(tmp_path, authority=authority) as real:
        to = real.url("rules.git") + "/info/refs?service=git-upload-pack"
        with serve(a_redirect(to), authority=authority) as server:
            assert _content(tmp_path, f"{server.url}/rules.git", environment) == b"a\n"


@pytest.fixture
def hanging() -> Iterator[str]:
    """A server that takes its time: it says nothing for ten seconds."""

    def answer(_: Request, __: Reply) -> None:
        time.sleep(10)

    with serve(answer) as server:
        yield f"{server.url}/rules.git"


def test_a_server_that_hangs_is_left_in_time(tmp_path: Path, hanging: str, environment: dict[str, str]) -> None:
    start = time.monotonic()
    error = _refusal(tmp_path, hanging, environment, timeout_s=1.5)
    assert isinstance(error, LimitExceeded)
    assert "fetch_timeout" in error.check
    assert time.monotonic() - start < 8


def test_what_a_transfer_has_started_ends_with_it(tmp_path: Path) -> None:
    told = tmp_path / "pids"
    command = f"sh -c 'sleep 60 & echo $! $$ > {told}; wait'"
    error = _refusal(tmp_path, "host.example:rules.git", {"GIT_SSH_COMMAND": command}, timeout_s=1.5)
    assert isinstance(error, LimitExceeded)
    pids = [int(pid) for pid in told.read_text().split()]
    assert len(pids) == 2
    assert not any(_runs(pid) for pid in pids)


def _runs(pid: int) -> bool:
    """Whether the process is there and no zombie; one that was just killed gets a moment."""
    for _ in range(50):
        try:
            state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return False
        if state == "Z":
            return False
        time.sleep(0.05)
    return True


def test_a_transfer_can_be_cancelled(tmp_path: Path, hanging: str) -> None:
    class AfterAMoment(Cancellation):
        """Is cancelled when it is asked for the third time."""

        asked = 0

        def check(self) -> None:
            self.asked += 1
            if self.asked == 3:
                self.cancel()
            super().check()

    host = a_git_host(tmp_path)
    start = time.monotonic()
    with (
        host.open(hanging, timeout_s=30, max_bytes=10**6, cancellation=AfterAMoment()) as repository,
        pytest.raises(Cancelled),
    ):
        repository.advertised()
    assert time.monotonic() - start < 8


def test_an_answer_without_end_is_cut_off_before_it_fills_the_memory(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    def answer(_: Request, reply: Reply) -> None:
        reply.send(200, {"Content-Type": ADVERTISEMENT}, iter(lambda: b"x" * 65536, b""))

    with serve(answer) as server:
        error = _refusal(tmp_path, f"{server.url}/rules.git", environment)
    assert isinstance(error, NetworkError)  # and not LimitExceeded, which would mean that time has stopped it


@pytest.mark.parametrize(
    "answer",
    [html(), a_status(500), a_status(404), nothing, endless(), _advertising(b"version 9\n", b""), _advertising(b"x\n")],
    ids=["a page", "500", "404", "nothing", "endless zeros", "another version", "no ref"],
)
def test_an_answer_that_is_not_gits_is_an_error(tmp_path: Path, answer: Answer, environment: dict[str, str]) -> None:
    with serve(answer) as server:
        error = _refusal(tmp_path, f"{server.url}/rules.git", environment, timeout_s=20)
    assert isinstance(error, (NetworkError, LimitExceeded, Untrusted))


def test_what_a_server_says_is_shown_escaped_and_short(tmp_path: Path) -> None:
    shout = b"ERR \x1b[2J\x1b]0;owned\x07" + b"A" * 5000
    with serve(_advertising(shout, b"")) as server:
        error = _refusal(tmp_path, f"{server.url}/rules.git", {})
    assert "owned" in error.check
    assert len(error.check) < 600


@pytest.mark.usefixtures("rules")
def test_a_login_comes_from_netrc(tmp_path: Path, home: Path, environment: dict[str, str]) -> None:
    (home / ".netrc").write_text("machine 127.0.0.1 login me password s3cret\n")
    (home / ".netrc").chmod(0o600)
    with serve_git(tmp_path, login=("me", "s3cret")) as server:
        assert _content(tmp_path, server.url("rules.git"), environment) == b"a\n"


@pytest.mark.usefixtures("rules")
def test_a_login_comes_from_the_users_credential_helper(tmp_path: Path, home: Path) -> None:
    helper = "!f() { echo username=me; echo password=s3cret; }; f"
    (home / ".gitconfig").write_text(f'[credential]\n\thelper = "{helper}"\n')
    with serve_git(tmp_path, login=("me", "s3cret")) as server:
        assert _content(tmp_path, server.url("rules.git"), {}) == b"a\n"


@pytest.mark.usefixtures("rules")
def test_a_header_that_the_user_has_set_for_one_host_is_sent_and_not_shown(tmp_path: Path, home: Path) -> None:
    with serve_git(tmp_path) as server:
        (home / ".gitconfig").write_text(
            f'[http "{server.url("")}"]\n\textraHeader = "X-Token: s3cret"\n[http]\n\textraHeader = "X-Other: no"\n'
        )
        seen = _command_lines_during(lambda: _content(tmp_path, server.url("rules.git"), {}))
        assert {request.headers.get("x-token") for request in server.requests} == {"s3cret"}
        assert {request.headers.get("x-other") for request in server.requests} == {None}
    assert seen
    assert not any("s3cret" in line for line in seen)


def _command_lines_during(work: Callable[[], object]) -> set[str]:
    """What a process list would have shown of git's processes during the work."""
    lines: set[str] = set()
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            lines.update(line for entry in Path("/proc").glob("[0-9]*") if "git" in (line := _command_line(entry)))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        work()
    finally:
        done.set()
        watcher.join()
    return lines


def _command_line(process: Path) -> str:
    try:
        return (process / "cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""  # it has ended meanwhile


@pytest.mark.usefixtures("rules")
def test_a_login_that_is_missing_is_asked_of_nobody(tmp_path: Path, environment: dict[str, str]) -> None:
    with serve_git(tmp_path, login=("me", "s3cret")) as server:
        error = _refusal(tmp_path, server.url("rules.git"), environment)
    assert isinstance(error, NetworkError)
    assert "netrc" in (error.remedy or "")


@pytest.mark.usefixtures("rules")
def test_a_login_that_is_wrong_is_not_shown(tmp_path: Path, home: Path, environment: dict[str, str]) -> None:
    (home / ".netrc").write_text("machine 127.0.0.1 login me password wr0ng-s3cret\n")
    (home / ".netrc").chmod(0o600)
    with serve_git(tmp_path, login=("me", "s3cret")) as server:
        error = _refusal(tmp_path, server.url("rules.git"), environment)
    assert isinstance(error, NetworkError)
    assert "s3cret" not in f"{error} {error.remedy}"


def test_a_password_in_the_address_is_refused_and_not_shown(tmp_path: Path) -> None:
    error = _refusal(tmp_path, "https://me:s3cret@127.0.0.1:1/rules.git", {})
    assert isinstance(error, Untrusted)
    assert "s3cret" not in f"{error} {error.remedy}"


def test_a_closed_port_is_an_error_with_a_remedy(tmp_path: Path, environment: dict[str, str]) -> None:
    for address in ("https://127.0.0.1:1/r.git", "http://127.0.0.1:1/r.git", "git://127.0.0.1:1/r.git"):
        assert isinstance(_refusal(tmp_path, address, environment), NetworkError)


def test_an_ssh_login_that_fails_names_the_agent(tmp_path: Path) -> None:
    command = "sh -c 'echo git@127.0.0.1: Permission denied '\\''(publickey).'\\'' >&2; exit 255'"
    error = _refusal(tmp_path, "git@127.0.0.1:rules.git", {"GIT_SSH_COMMAND": command})
    assert isinstance(error, NetworkError)
    assert "ssh-add" in (error.remedy or "")
