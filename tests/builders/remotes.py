"""Remote registries as tests open them."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx
import pytest

from agent_sync_oci.errors import AgentSyncError
from agent_sync_oci.http.network import Network, no_proxy
from agent_sync_oci.reference import RegistryReference
from agent_sync_oci.registry.protocol import never_cancelled
from agent_sync_oci.registry.remote.repository import RemoteRegistry
from tests.real.authority import Authority


def a_remote(
    host: str,
    repository: str = "team/agents",
    *,
    docker_config: Path | None = None,
    authority: Authority | None = None,
    proxy_for: Callable[[httpx.URL], httpx.Proxy | None] = no_proxy,
    plain_http: bool | None = None,
    timeout_s: float = 20.0,
    helper_timeout_s: float = 10.0,
    check: Callable[[], None] = never_cancelled,
) -> RemoteRegistry:
    """`repository` at `host`; with an `authority` over TLS, which nobody else is trusted for."""
    return RemoteRegistry(
        RegistryReference(host, repository),
        plain_http=False if authority is not None else plain_http,
        timeout_s=timeout_s,
        network=Network(
            authorities=lambda: ssl.create_default_context(cafile=None if authority is None else authority.ca_file),
            proxy_for=proxy_for,
            docker_config=docker_config,
            helper_timeout_s=helper_timeout_s,
        ),
        check=check,
    )


def a_docker_config(path: Path, logins: Mapping[str, str], **rest: object) -> Path:
    """A file as `docker login` writes it: `user:password` for each host."""
    auths = {host: {"auth": base64.b64encode(login.encode()).decode()} for host, login in logins.items()}
    path.write_text(json.dumps({"auths": auths, **rest}))
    return path


def refused(work: Callable[[], object]) -> AgentSyncError:
    """The error that `work` ends in, which it must, and which must be fit to be shown."""
    with pytest.raises(AgentSyncError) as caught:
        work()
    assert str(caught.value).isprintable()
    assert "s3cr3t" not in f"{caught.value} {caught.value.remedy}"
    return caught.value
