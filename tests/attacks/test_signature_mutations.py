"""No leaf of a good signature can be flipped, exchanged or removed: what a bundle says is checked, or it is not read.

Mutants that say the same, or less, are the only ones that may pass: `_SAYS_THE_SAME` and `_unsigned_octets` name each,
with the reason.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest

from agent_sync_oci.errors import AgentSyncError
from agent_sync_oci.signing.bundle import SigningCertificate, bundle_json, read_bundle
from agent_sync_oci.signing.sign import sign_with_key
from agent_sync_oci.signing.trusted_root import TrustedRoot
from agent_sync_oci.signing.verify import verify_artifact, verify_bundle
from tests.builders.signatures import (
    CI,
    Keyless,
    a_key,
    a_key_signed_bundle,
    a_key_signer,
    a_keyless_bundle,
    a_keyless_message_bundle,
    a_statement,
)
from tests.real.sigstore_log import Json
from tests.real.sigstore_stack import SigstoreStack

_ARTIFACT = b"an artifact"
_BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

Path = tuple[str | int, ...]
Check = Callable[[bytes], object]


@dataclass(frozen=True, slots=True)
class _Good:
    """A bundle, and the check that accepts it."""

    bundle: bytes
    check: Check


def _key(_stack: SigstoreStack, root: TrustedRoot) -> _Good:
    key = a_key()
    return _Good(a_key_signed_bundle(key), lambda it: verify_bundle(it, [a_key_signer(key)], root=root))


def _logged_key(rekor: int, *, stamped: bool) -> Callable[[SigstoreStack, TrustedRoot], _Good]:
    def good(stack: SigstoreStack, root: TrustedRoot) -> _Good:
        key = a_key()
        bundle = sign_with_key(a_statement(), key, trust_config=stack.trust_config(rekor=rekor, stamped=stamped))
        return _Good(bundle, lambda it: _logged(verify_bundle(it, [a_key_signer(key)], root=root).logged))

    return good


def _keyless(made: Keyless) -> Callable[[SigstoreStack, TrustedRoot], _Good]:
    def good(stack: SigstoreStack, root: TrustedRoot) -> _Good:
        return _Good(a_keyless_bundle(stack, made=made), lambda it: verify_bundle(it, [CI], root=root))

    return good


def _artifact(made: Keyless) -> Callable[[SigstoreStack, TrustedRoot], _Good]:
    def good(stack: SigstoreStack, root: TrustedRoot) -> _Good:
        sha256 = hashlib.sha256(_ARTIFACT).hexdigest()
        bundle = a_keyless_message_bundle(stack, _ARTIFACT, made)
        return _Good(bundle, lambda it: verify_artifact(it, sha256, [CI], root=root))

    return good


def _logged(logged: bool) -> None:
    """What a policy that demands a log entry asks."""
    if not logged:
        raise _NotLogged(subject="the signature", check="no log entry")


class _NotLogged(AgentSyncError):
    pass


_KINDS = {
    "key": _key,
    "key, log 1": _logged_key(1, stamped=False),
    "key, log 2, stamped": _logged_key(2, stamped=True),
    "keyless, log 1": _keyless(Keyless(rekor=1, stamped=False)),
    "keyless, log 1, stamped": _keyless(Keyless(rekor=1)),
    "keyless, log 2": _keyless(Keyless(rekor=2)),
    "artifact, log 1": _artifact(Keyless(rekor=1, stamped=False)),
    "artifact, log 2": _artifact(Keyless(rekor=2)),
}

_STAMPS = "verificationMaterial.timestampVerificationData"
_LIST = f"{_STAMPS}.rfc3161Timestamps"
_WITHOUT_STAMPS = {f"{_STAMPS} removed", f"{_STAMPS} = None", f"{_STAMPS} = {{}}", f"{_LIST}.0 removed"}
_WITHOUT_STAMPS |= {f"{_LIST} removed", f"{_LIST} = None", f"{_LIST} = []"}

_SAYS_THE_SAME = {
    # No list of log entries is an empty list of them: ProtoJSON leaves empty ones out.
    "key": {"verificationMaterial.tlogEntries removed", "verificationMaterial.tlogEntries = None"},
    # A key needs no time stamp, and Rekor 1 states the time itself: without the stamp the bundle is another good one,
    # which says less. One that is there must hold.
    "key, log 2, stamped": _WITHOUT_STAMPS,
    "keyless, log 1, stamped": _WITHOUT_STAMPS,
}


@pytest.mark.parametrize("kind", _KINDS)
def test_no_mutant_of_a_good_signature_is_accepted(sigstore: SigstoreStack, kind: str) -> None:
    good = _KINDS[kind](sigstore, TrustedRoot.read(sigstore.trusted_root()))
    good.check(good.bundle)
    accepted, tried = [], 0
    for what, mutant in _mutants(json.loads(good.bundle)):
        tried += 1
        try:
            good.check(json.dumps(mutant).encode())
        except AgentSyncError:
            continue
        if not _differs_in_unsigned_octets_alone(json.loads(good.bundle), mutant):
            accepted.append(what)
    print(f"{kind}: {tried} mutants")
    assert tried > 80
    assert set(accepted) == _SAYS_THE_SAME.get(kind, set())


def test_no_bit_of_a_time_stamp_that_is_signed_can_be_flipped(sigstore: SigstoreStack) -> None:
    root, bundle = TrustedRoot.read(sigstore.trusted_root()), read_bundle(a_keyless_bundle(sigstore))
    (stamp,) = bundle.time_stamps
    for place, flipped in _each_octet_flipped(stamp):
        mutant = bundle_json(replace(bundle, time_stamps=(flipped,)))
        if place not in _unsigned_octets(stamp):
            with pytest.raises(AgentSyncError):
                verify_bundle(mutant, [CI], root=root)


def test_no_bit_of_a_certificate_can_be_flipped(sigstore: SigstoreStack) -> None:
    root, bundle = TrustedRoot.read(sigstore.trusted_root()), read_bundle(a_keyless_bundle(sigstore))
    assert isinstance(bundle.verifier, SigningCertificate)
    for _, flipped in _each_octet_flipped(bundle.verifier.der):
        with pytest.raises(AgentSyncError):
            verify_bundle(bundle_json(replace(bundle, verifier=SigningCertificate(flipped))), [CI], root=root)


# -- what of a time stamp nothing signs ------------------------------------------------------------------------------


def _differs_in_unsigned_octets_alone(good: Json, mutant: Json) -> bool:
    """Whether two bundles are the same but for octets of a time stamp that say nothing."""
    try:
        (one,), (other,) = map(_time_stamps, (good, mutant))
    except (KeyError, TypeError, ValueError):
        return False
    changed = [at for at in range(len(one)) if len(one) == len(other) and one[at] != other[at]]
    return bool(changed) and _unsigned_octets(one).issuperset(changed)


def _time_stamps(document: Json) -> list[bytes]:
    listed = document["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"]
    return [base64.b64decode(each["signedTimestamp"]) for each in listed]


def _unsigned_octets(stamp: bytes) -> set[int]:
    """Where a time stamp has the version of its syntax, twice, and the name of the algorithm that made its signature.

    RFC 5652 §5.4 signs none of them, and no reader acts on them: the key decides on the algorithm.
    """
    _, token = _parts(stamp, 0)
    signed_data = _parts(stamp, _parts(stamp, token)[1])[0]
    version, *_, signer_infos = _parts(stamp, signed_data)
    (signer,) = _parts(stamp, signer_infos)
    its_version, _, _, _, algorithm, _ = _parts(stamp, signer)
    (name,) = _parts(stamp, algorithm)
    return {at for start in (version, its_version, name) for at in range(*_content(stamp, start))}


def _parts(der: bytes, start: int) -> list[int]:
    """Where each element inside the one at `start` begins."""
    place, end = _content(der, start)
    found = []
    while place < end:
        found.append(place)
        place = _content(der, place)[1]
    return found


def _content(der: bytes, start: int) -> tuple[int, int]:
    """Where the content of the element at `start` begins and ends."""
    size = der[start + 1]
    more = size & 127 if size & 128 else 0
    begin = start + 2 + more
    return begin, begin + (int.from_bytes(der[start + 2 : begin], "big") if more else size)


# -- mutants ---------------------------------------------------------------------------------------------------------


def _each_octet_flipped(octets: bytes) -> Iterator[tuple[int, bytes]]:
    """Every octet with one of its bits flipped, another bit from octet to octet."""
    for place in range(len(octets)):
        flipped = bytearray(octets)
        flipped[place] ^= 1 << place % 8
        yield place, bytes(flipped)


def _mutants(document: Json) -> Iterator[tuple[str, Json]]:
    """Each mutant with what was done to it; every one differs from `document`."""
    for path in _paths(document):
        name = ".".join(map(str, path))
        value = _at(document, path)
        yield f"{name} removed", _without(document, path)
        for other in _others(value):
            if other != value:
                yield f"{name} = {other}", _with(document, path, other)


def _paths(value: object, path: Path = ()) -> Iterator[Path]:
    """Every object, list and leaf inside."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield (*path, key)
        yield from _paths(inner, (*path, key))


def _others(value: object) -> Iterator[object]:
    yield from ({}, [], "", 7, True, None)
    if isinstance(value, list):
        yield [*value, *value[:1]]
        yield value[::-1]
    elif isinstance(value, dict):
        yield value | {"unknown": ""}
    elif isinstance(value, str):
        yield from _flips(value)
        yield from (value + "A", value + "=", value + "\n", " " + value, value[:-1], value.swapcase(), value * 2)
        yield value.replace("+", "-").replace("/", "_")  # the other base64
        if value.isdigit():
            yield from (str(int(value) + 1), f"0{value}", f"-{value}", f"{value}.0", f"+{value}", float(value))


def _flips(text: str) -> Iterator[str]:
    """One character exchanged: the first, the last, and some between."""
    for place in sorted({0, 1, *range(0, len(text), max(1, len(text) // 7)), len(text) - 2, len(text) - 1}):
        if 0 <= place < len(text):
            for other in {_BASE64[(_BASE64.find(text[place]) + 1) % 64], _BASE64[(_BASE64.find(text[place]) ^ 1) % 64]}:
                yield text[:place] + other + text[place + 1 :]


def _at(value: object, path: Path) -> object:
    for key in path:
        value = value[key]  # type: ignore[index]
    return value


def _with(document: Json, path: Path, value: object) -> Json:
    mutant = copy.deepcopy(document)
    _at(mutant, path[:-1])[path[-1]] = value  # type: ignore[index]
    return mutant


def _without(document: Json, path: Path) -> Json:
    mutant = copy.deepcopy(document)
    del _at(mutant, path[:-1])[path[-1]]  # type: ignore[attr-defined]
    return mutant
