"""Docker credentials, by host: oras looks them up in the configuration and asks helpers, which may not hang."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

from oras.auth.base import AuthBackend  # type: ignore[import-untyped]
from oras.auth.utils import get_basic_auth  # type: ignore[import-untyped]
from oras.utils import iter_localhosts  # type: ignore[import-untyped]

from agent_sync_oci.errors import DigestMismatch, FileSystemError, LimitExceeded, RegistryError
from agent_sync_oci.http.network import Network
from agent_sync_oci.strict_json import read_json
from agent_sync_oci.text import quoted

_MAX_CONFIG_BYTES = 4 << 20
_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")  # the end of a program's name, and no path
_NOT_FOUND = "credentials not found"  # what helpers say, with exit code 1 (docker/docker-credential-helpers)
_DOCKER_HUB = "https://index.docker.io/v1/"  # the name under which `docker login` keeps what belongs to Docker Hub
_DOCKER_HUB_HOSTS = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})


class DockerCredentials(AuthBackend):  # type: ignore[misc]
    """`user:password` in base64 for each host; each is looked up once."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self._path = network.docker_config
        self._helper_timeout_s = network.helper_timeout_s
        self._auth_config: Any = _read(network.docker_config)
        self._basic_auth: object = None  # where oras puts what it finds
        self._found: dict[str, str | None] = {}
        self._looking_up = threading.Lock()

    def of(self, host: str) -> str | None:
        """Return what logs in at this `host[:port]`; None if there is nothing. Raises RegistryError (helper, file)."""
        with self._looking_up:
            if host not in self._found:
                self._found[host] = self._look_up(host)
            return self._found[host]

    def names(self, host: str) -> bool:
        """Return whether the configuration itself names this host, so that its user means it."""
        return host in self._auth_config["auths"] or host in self._auth_config["credHelpers"]

    def _look_up(self, host: str) -> str | None:
        names = [_DOCKER_HUB] if host in _DOCKER_HUB_HOSTS else list(iter_localhosts(host))
        for name in names:
            if self._load_auth(name):
                return _checked(self._basic_auth, f"the credentials for {host}")
        return None

    def _get_auth_from_creds_store(self, suffix: str, hostname: str) -> str | None:
        """Return what the program `docker-credential-SUFFIX` has for this host; oras calls this."""
        if not _HELPER.fullmatch(suffix):
            raise _invalid_config(self._path, f"{quoted(suffix)} cannot be the name of a credential helper")
        program = f"docker-credential-{suffix}"
        said = self._run(program, hostname)
        if said is None:
            return None
        try:
            answer = json.loads(said)
            user, password = answer["Username"], answer["Secret"]
        except (ValueError, LookupError, TypeError, RecursionError):
            raise _helper_failed(program, "invalid output") from None  # not quoted: it may hold a password
        return str(get_basic_auth(user, password))

    def _run(self, program: str, hostname: str) -> bytes | None:
        """Return the output of the helper for this host; None if it knows nothing."""
        try:
            process = subprocess.Popen(
                [program, "get"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # so that it can be ended with whatever it started
            )
        except OSError as error:
            raise _helper_failed(program, f"cannot be run: {error.strerror}") from error
        with process:
            try:
                said, _ = process.communicate(hostname.encode(), timeout=self._helper_timeout_s)
            except subprocess.TimeoutExpired as error:
                raise _helper_failed(program, f"no answer within {self._helper_timeout_s:g} s") from error
            finally:
                if process.returncode is None:  # while nobody has waited for it, its number is not given to another
                    os.killpg(process.pid, signal.SIGKILL)
        if process.returncode == 0:
            return said
        if _NOT_FOUND in said[:1000].decode(errors="replace").lower():
            return None
        raise _helper_failed(program, f"ended with exit code {process.returncode}")


def _read(path: Path | None) -> dict[str, object]:
    """Return the parts of the configuration that oras looks at; empty if the file is missing."""
    content = b"{}"
    if path is not None:
        try:
            with path.open("rb") as file:
                content = file.read(_MAX_CONFIG_BYTES)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise FileSystemError(
                subject=f"docker configuration {quoted(str(path))}",
                check=f"cannot be read: {error.strerror}",
                remedy=f"check permissions: ls -ld {path}",
            ) from error
    try:
        value = read_json(content, subject=str(path))
    except (DigestMismatch, LimitExceeded):
        raise _invalid_config(path, "not valid JSON") from None  # not quoted: it may hold a password
    value = value if isinstance(value, dict) else {}
    auths, helpers, store = value.get("auths") or {}, value.get("credHelpers") or {}, value.get("credsStore") or None
    if (
        not isinstance(auths, dict)
        or not all(isinstance(each, dict) for each in auths.values())
        or not isinstance(helpers, dict)
        or not all(isinstance(each, str) for each in helpers.values())
        or not isinstance(store, str | None)
    ):
        raise _invalid_config(path, "auths, credHelpers or credsStore are not as docker writes them")
    return {"auths": auths, "credHelpers": helpers, "credsStore": store}


def _checked(basic_auth: object, subject: str) -> str:
    """Return the credentials, if they may stand in a header."""
    try:
        if isinstance(basic_auth, str) and b":" in base64.b64decode(basic_auth, validate=True):
            return basic_auth
    except ValueError:
        pass
    raise RegistryError(subject=subject, check="not `user:password` in base64", remedy="log in again")


def _invalid_config(path: Path | None, check: str) -> RegistryError:
    return RegistryError(
        subject=f"docker configuration {quoted(str(path))}", check=check, remedy="correct the file, or log in again"
    )


def _helper_failed(program: str, check: str) -> RegistryError:
    return RegistryError(
        subject=f"credential helper {program}",
        check=check,
        remedy="run it by hand to see what it needs, or log in without it",
    )
