"""What the environment says about reaching registries is heeded: authorities, proxies, logins."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_sync.adapters.network import MachineRegistries
from agent_sync.errors import Cancelled
from agent_sync.ports import Cancellation
from agent_sync_oci.reference import parse_reference
from tests.builders.remotes import a_docker_config, refused
from tests.real.answers import behind_password
from tests.real.authority import Authority
from tests.real.proxy import serve_proxy
from tests.real.registry_double import ServedDouble, serve_double

ELSEWHERE = parse_reference("other.localhost/team/agents")  # not this machine, as far as the name tells


@pytest.mark.parametrize("variable", ["HOME", "DOCKER_CONFIG"])
def test_authorities_proxies_and_logins_are_those_of_the_environment(
    variable: str, tmp_path: Path, authority: Authority
) -> None:
    directory = tmp_path / ".docker" if variable == "HOME" else tmp_path
    directory.mkdir(exist_ok=True)
    a_docker_config(directory / "config.json", {"other.localhost": "ann:s3cr3t"})
    with (
        serve_double(
            around=lambda answer: behind_password(answer, user="ann", password="s3cr3t"), authority=authority
        ) as double,
        serve_proxy({"other.localhost:443": double.server.url}) as proxy,
    ):
        machine = {variable: str(tmp_path), "SSL_CERT_FILE": str(authority.ca_file), "HTTPS_PROXY": proxy.url}
        with MachineRegistries(machine).open(ELSEWHERE, timeout_s=20, cancellation=Cancellation()) as registry:
            assert registry.tags() == ()
        without = {name: value for name, value in machine.items() if name != variable}
        with MachineRegistries(without).open(ELSEWHERE, timeout_s=20, cancellation=Cancellation()) as registry:
            assert "there is none" in refused(registry.tags).check


def test_who_has_cancelled_asks_nothing(registry_double: ServedDouble) -> None:
    cancellation = Cancellation()
    place = parse_reference(f"{registry_double.host}/team/agents")
    with MachineRegistries({}).open(place, timeout_s=20, cancellation=cancellation) as registry:
        assert registry.tags() == ()
        cancellation.cancel()
        with pytest.raises(Cancelled):
            registry.tags()
    assert len(registry_double.requests) == 1
