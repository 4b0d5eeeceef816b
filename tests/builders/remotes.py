"""Remote registries as tests open them, and what is put there."""

from __future__ import annotations

import base64
import io
import json
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx
import pytest

from agent_sync_oci.digest import Digest
from agent_sync_oci.errors import OciError
from agent_sync_oci.manifest import EMPTY, EMPTY_CONTENT, Descriptor, Manifest
from agent_sync_oci.reference import RegistryPlace
from agent_sync_oci.registry.protocol import Registry
from agent_sync_oci.registry.remote import Network, RemoteRegistry
from agent_sync_oci.registry.remote.network import directly
from agent_sync_oci.registry.remote.repository import nothing
from tests.real.authority import Authority


def a_remote(
    host: str,
    repository: str = "team/agents",
    *,
    docker_config: Path | None = None,
    authority: Authority | None = None,
    proxy_for: Callable[[httpx.URL], httpx.Proxy | None] = directly,
    plain_http: bool | None = None,
    timeout_s: float = 20.0,
    helper_timeout_s: float = 10.0,
    check: Callable[[], None] = nothing,
) -> RemoteRegistry:
    """`repository` at `host`; with an `authority` over TLS, which nobody else is trusted for."""
    return RemoteRegistry(
        RegistryPlace(host, repository),
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


def a_blob(content: bytes) -> Descriptor:
    """What a manifest says of this blob."""
    return Descriptor("application/octet-stream", Digest.of(content), len(content))


def put_content(registry: Registry, content: bytes) -> Descriptor:
    """The blob is there."""
    blob = a_blob(content)
    registry.put_blob(blob, lambda: io.BytesIO(content))
    return blob


def put_artifact(
    registry: Registry, *layers: bytes, tag: str | None = None, subject: Descriptor | None = None
) -> Manifest:
    """The artifact with these layers is there."""
    registry.put_blob(EMPTY, lambda: io.BytesIO(EMPTY_CONTENT))
    manifest = Manifest.make(
        artifact_type="application/vnd.tests",
        config=EMPTY,
        layers=[put_content(registry, layer) for layer in layers] or [EMPTY],
        subject=subject,
    )
    registry.put_manifest(manifest, tag=tag)
    return manifest


def content_of(registry: Registry, blob: Descriptor) -> bytes:
    """All bytes of a blob."""
    content = bytearray()
    registry.get_blob(blob, content.extend)
    return bytes(content)


def refused(work: Callable[[], object]) -> OciError:
    """The error that `work` ends in, which it must, and which must be fit to be shown."""
    with pytest.raises(OciError) as caught:
        work()
    assert str(caught.value).isprintable()
    assert "s3cr3t" not in f"{caught.value} {caught.value.remedy}"
    return caught.value
