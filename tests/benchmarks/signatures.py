"""Checking signatures: a hundred signed bundles, judged in one process that has loaded nothing yet.

As a program it prints how many seconds it takes to judge those in the directory that is named.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from agent_sync_oci.digest import Digest
from agent_sync_oci.signing.keys import load_public
from agent_sync_oci.signing.signers import IdentitySigner, KeySigner, Signer
from agent_sync_oci.signing.trusted_root import TrustedRoot
from agent_sync_oci.trust import Policy, Rule, evaluate
from tests.benchmarks.inputs import ROOT, Room
from tests.benchmarks.measuring import Command, Contest

_NAME = "registry.example.com/team/agents"
_CI = IdentitySigner("https://ci.example.test/release", "https://issuer.example.test")


def judging(room: Room, *, bundles: int, keyless: bool) -> Contest:
    """So many bundles, each of its own signature: with a key, or keyless with a log entry and a time stamp."""
    count = room.scaled(bundles)
    directory = room.once(f"signatures-{count}-{keyless}", lambda place: _make(place, count, keyless=keyless))
    words = (sys.executable, "-m", "tests.benchmarks.signatures", str(directory))
    return Contest(lambda _: Command(words, ROOT, room.environment, reports=True), warm=True)


def _make(place: Path, count: int, *, keyless: bool) -> None:
    from tests.builders.signatures import Keyless, a_key, a_key_signed_bundle, a_keyless_bundle, a_statement
    from tests.real.sigstore_stack import serve_sigstore

    key = a_key()
    (place / "key.pub").write_bytes(key.public.pem)
    with serve_sigstore() as stack:
        (place / "root").write_bytes(stack.trusted_root())
        for number in range(count):
            statement = a_statement(_NAME, _digest(number))
            signed = (
                a_keyless_bundle(stack, statement, Keyless(_CI)) if keyless else a_key_signed_bundle(key, statement)
            )
            (place / f"{number}.bundle").write_bytes(signed)


def _digest(number: int) -> Digest:
    return Digest.of(b"index %d" % number)


def main(named: str) -> None:
    """Everything counts, from the reading of the trusted root on: nothing is signed here before."""
    directory = Path(named)
    started = time.perf_counter()
    root = TrustedRoot.read((directory / "root").read_bytes())
    signers: tuple[Signer, ...] = (_CI, KeySigner(load_public((directory / "key.pub").read_bytes())))
    policy = Policy((Rule("**", 1, signers, root=root),))
    for file in directory.glob("*.bundle"):
        assert evaluate(policy, _NAME, _digest(int(file.stem)), [file.read_bytes()]).accepted
    print(time.perf_counter() - started)


if __name__ == "__main__":
    main(sys.argv[1])
