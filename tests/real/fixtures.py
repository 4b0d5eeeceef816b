"""The real components as fixtures, each started for one test and gone after it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.real.authority import Authority, an_authority
from tests.real.cosign import Cosign, a_cosign
from tests.real.docker_registry import DockerRegistry, serve_docker_registry
from tests.real.gpg import GpgHome, a_gpg_home
from tests.real.https_files import FileServer, serve_files
from tests.real.registry_double import ServedDouble, serve_double
from tests.real.sigstore_stack import SigstoreStack, serve_sigstore
from tests.real.ssh_keys import SshKey, an_ssh_key
from tests.real.sshd import SshServer, serve_ssh


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A certificate authority for this run."""
    return an_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def https_files(authority: Authority) -> Iterator[FileServer]:
    """A web server with TLS that serves what the test publishes."""
    with serve_files(authority=authority) as server:
        yield server


@pytest.fixture
def http_files() -> Iterator[FileServer]:
    """The same without TLS."""
    with serve_files(authority=None) as server:
        yield server


@pytest.fixture
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    """An OpenSSH server for git; it serves every repository that this user can read."""
    with serve_ssh(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture
def gpg_home() -> Iterator[GpgHome]:
    """An empty GnuPG home."""
    with a_gpg_home() as home:
        yield home


@pytest.fixture
def ssh_key(tmp_path_factory: pytest.TempPathFactory) -> SshKey:
    """A new SSH key for signing."""
    return an_ssh_key(tmp_path_factory.mktemp("ssh") / "key")


@pytest.fixture(scope="session")
def sigstore() -> Iterator[SigstoreStack]:
    """A Sigstore of this run's own."""
    with serve_sigstore() as stack:
        yield stack


@pytest.fixture
def registry_double() -> Iterator[ServedDouble]:
    """A registry with the referrers API, in this process."""
    with serve_double() as double:
        yield double


@pytest.fixture(scope="session")
def docker_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    """CNCF distribution, open to everyone; a test has repositories of its own there."""
    with serve_docker_registry(tmp_path_factory.mktemp("registry")) as registry:
        yield registry


@pytest.fixture
def cosign(tmp_path_factory: pytest.TempPathFactory) -> Cosign:
    """`cosign`, in an empty directory."""
    return a_cosign(tmp_path_factory.mktemp("cosign"))
