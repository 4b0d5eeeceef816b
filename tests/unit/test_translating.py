"""The errors of the OCI package become ours: every kind of them, with its three facts."""

from __future__ import annotations

import pytest

from agent_sync.cli.exit_codes import exit_code_of
from agent_sync.errors import AgentSyncError
from agent_sync.ports.translating import ours, translated
from agent_sync_oci import errors as oci

_KINDS = [each for each in vars(oci).values() if isinstance(each, type) and issubclass(each, oci.OciError)]
_CODES = {
    oci.InvalidReference: 2,
    oci.UnusableKey: 2,
    oci.ContentLies: 5,
    oci.InvalidSignature: 6,
    oci.NotFound: 8,
    oci.RegistryError: 8,
    oci.SigningServiceError: 8,
    oci.TooMuch: 13,
    oci.PlaceFault: 17,
}


def test_every_kind_is_known() -> None:
    assert set(_KINDS) - {oci.OciError} == _CODES.keys()


@pytest.mark.parametrize("kind", _CODES)
def test_each_has_its_exit_code_and_says_what_to_do(kind: type[oci.OciError]) -> None:
    with pytest.raises(AgentSyncError) as caught, translated():
        raise kind(subject="it", check="it is not so")
    assert exit_code_of(caught.value) == _CODES[kind]
    assert (caught.value.subject, caught.value.check) == ("it", "it is not so")
    assert caught.value.remedy
    assert ours(kind(subject="it", check="x", remedy="do that")).remedy == "do that"


def test_credentials_do_not_come_through() -> None:
    error = ours(
        oci.RegistryError(subject="https://ann:secret@host/x", check="no answer from https://ann:secret@host/")
    )
    assert "secret" not in f"{error.subject} {error.check}"


def test_what_is_ours_already_stays() -> None:
    with pytest.raises(AgentSyncError, match="it") as caught, translated():
        raise AgentSyncError(subject="it", check="is ours")
    assert type(caught.value) is AgentSyncError
