"""A period of validity includes its end: the whole second in which it ends, and nothing of the next."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from rfc3161_client import decode_timestamp_response

from agent_sync_oci.errors import InvalidSignature
from agent_sync_oci.signing.bundle import read_bundle
from agent_sync_oci.signing.sign import sign_with_key
from agent_sync_oci.signing.trusted_root import Period, TrustedRoot
from agent_sync_oci.signing.verify import verify_artifact, verify_bundle
from tests.builders.signatures import (
    CI,
    Keyless,
    a_changed_root,
    a_key,
    a_key_signer,
    a_keyless_bundle,
    a_keyless_message_bundle,
    a_statement,
)
from tests.real.sigstore_log import Json
from tests.real.sigstore_stack import SigstoreStack

_ARTIFACT = b"an artifact"
_SHA256 = hashlib.sha256(_ARTIFACT).hexdigest()
_KEY = a_key()
_EAST = timezone(timedelta(hours=5, minutes=30))

Verify = Callable[[bytes, TrustedRoot], bool]


def _statement_of_a_key(stack: SigstoreStack) -> tuple[bytes, Verify]:
    bundle = sign_with_key(a_statement(), _KEY, trust_config=stack.trust_config(stamped=True))
    return bundle, lambda content, root: verify_bundle(content, [a_key_signer(_KEY)], root=root).logged


def _statement_of_an_identity(stack: SigstoreStack) -> tuple[bytes, Verify]:
    return a_keyless_bundle(stack), lambda content, root: verify_bundle(content, [CI], root=root).logged


def _artifact_of_an_identity(stack: SigstoreStack) -> tuple[bytes, Verify]:
    bundle = a_keyless_message_bundle(stack, _ARTIFACT)
    return bundle, lambda content, root: verify_artifact(content, _SHA256, [CI], root=root).logged


_SIGNED = pytest.mark.parametrize(
    "sign", [_statement_of_a_key, _statement_of_an_identity, _artifact_of_an_identity], ids=lambda sign: sign.__name__
)


def _stamped_at(bundle: bytes) -> datetime:
    (stamp,) = read_bundle(bundle).time_stamps
    return decode_timestamp_response(stamp).tst_info.gen_time


def _root(stack: SigstoreStack, end: str) -> TrustedRoot:
    def ended(document: Json) -> None:
        document["timestampAuthorities"][0]["validFor"]["end"] = end

    return a_changed_root(stack, ended)


@_SIGNED
@pytest.mark.parametrize(
    "spelled",
    [
        lambda end: end.strftime("%Y-%m-%dT%H:%M:%SZ"),
        lambda end: end.strftime("%Y-%m-%dT%H:%M:%S.400000000Z"),
        lambda end: end.astimezone(_EAST).isoformat(),
        lambda _: "9999-12-31T23:59:59Z",
    ],
    ids=["UTC", "with a fraction", "of another time zone", "never"],
)
def test_a_time_stamp_of_the_second_in_which_its_authority_ends_counts(
    sigstore: SigstoreStack,
    sign: Callable[[SigstoreStack], tuple[bytes, Verify]],
    spelled: Callable[[datetime], str],
) -> None:
    bundle, verify = sign(sigstore)
    assert verify(bundle, _root(sigstore, spelled(_stamped_at(bundle))))


@_SIGNED
@pytest.mark.parametrize("fraction", ["Z", ".999999Z"])
def test_a_time_stamp_of_one_second_later_does_not(
    sigstore: SigstoreStack, sign: Callable[[SigstoreStack], tuple[bytes, Verify]], fraction: str
) -> None:
    bundle, verify = sign(sigstore)
    end = (_stamped_at(bundle) - timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%S") + fraction
    with pytest.raises(InvalidSignature, match="time stamp"):
        verify(bundle, _root(sigstore, end))


@pytest.mark.parametrize("later_s", [0, 1])
def test_a_log_entry_of_the_second_in_which_the_key_ends_counts_and_one_later_does_not(
    sigstore: SigstoreStack, later_s: int
) -> None:
    bundle = a_keyless_bundle(sigstore, made=Keyless(rekor=1, stamped=False))
    taken_s = read_bundle(bundle).entries[0].time_s

    def ended(document: Json) -> None:
        end = datetime.fromtimestamp(taken_s - later_s, UTC)
        document["tlogs"][0]["publicKey"]["validFor"]["end"] = end.isoformat()

    root = a_changed_root(sigstore, ended)
    if later_s == 0:
        assert verify_bundle(bundle, [CI], root=root).logged
    else:
        with pytest.raises(InvalidSignature, match="not valid at that time"):
            verify_bundle(bundle, [CI], root=root)


def test_a_period_has_its_start_and_the_whole_of_its_last_second() -> None:
    start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 6, 1, 12, 0, 0, 400_000, tzinfo=UTC)
    period = Period(start, end)
    assert start in period
    assert end in period
    assert end.replace(microsecond=999_999) in period
    assert start - timedelta(microseconds=1) not in period
    assert end.replace(second=1, microsecond=0) not in period
    assert end in Period(None, None)
