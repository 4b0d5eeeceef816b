"""Transparency logs as Rekor 1 and Rekor 2 are: Merkle trees (RFC 9162) whose roots stand in signed checkpoints."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import rfc8785
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.real.sigstore_authority import now, public_der

Json = dict[str, Any]


def b64(octets: bytes) -> str:
    """Base64 as text."""
    return base64.b64encode(octets).decode()


class Log(Protocol):
    """What both logs can do. `key_details`: the algorithm as a trusted root names it."""

    log_id: bytes
    key: bytes
    key_details: str

    def answer(self, request: Json) -> Json:
        """The log's answer to a request over HTTP."""

    def enter(self, body: Json) -> Json:
        """A `TransparencyLogEntry`, as bundles have it, for what is now in the log."""


@dataclass(frozen=True, slots=True)
class _Leaf:
    index: int
    size: int
    root: bytes
    hashes: list[bytes]


class _Tree:
    """A growing list of leaves. It holds a few from the start, as a log in use does."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._leaves = [hashlib.sha256(bytes([number])).digest() for number in range(5)]

    def add(self, data: bytes) -> _Leaf:
        with self._lock:
            self._leaves.append(hashlib.sha256(b"\0" + data).digest())
            index = len(self._leaves) - 1
            return _Leaf(index, index + 1, _root(self._leaves), _path(index, self._leaves))


def _root(leaves: list[bytes]) -> bytes:
    """RFC 9162 §2.1.1."""
    if len(leaves) == 1:
        return leaves[0]
    half = _half(leaves)
    return hashlib.sha256(b"\1" + _root(leaves[:half]) + _root(leaves[half:])).digest()


def _path(index: int, leaves: list[bytes]) -> list[bytes]:
    """RFC 9162 §2.1.3.1."""
    if len(leaves) == 1:
        return []
    half = _half(leaves)
    if index < half:
        return [*_path(index, leaves[:half]), _root(leaves[half:])]
    return [*_path(index - half, leaves[half:]), _root(leaves[:half])]


def _half(leaves: list[bytes]) -> int:
    return 1 << ((len(leaves) - 1).bit_length() - 1)


def _checkpoint(origin: str, name: str, leaf: _Leaf, key_id: bytes, sign: Callable[[bytes], bytes]) -> str:
    """C2SP's tlog-checkpoint as a signed-note."""
    note = f"{origin}\n{leaf.size}\n{b64(leaf.root)}\n"
    return f"{note}\n— {name} {b64(key_id[:4] + sign(note.encode()))}\n"


class Rekor1:
    """Answers when it has promised to take an entry, and signs the time (the "signed entry timestamp")."""

    key_details = "PKIX_ECDSA_P256_SHA_256"

    def __init__(self, name: str) -> None:
        self._name = name
        self._private = ec.generate_private_key(ec.SECP256R1())
        self._tree = _Tree()
        self.key = public_der(self._private)
        self.log_id = hashlib.sha256(self.key).digest()

    def answer(self, request: Json) -> Json:
        entry = self.enter(_stored(request))
        proof = entry["inclusionProof"]
        body = base64.b64decode(entry["canonicalizedBody"])
        return {
            hashlib.sha256(body).hexdigest(): {
                "body": b64(body),
                "integratedTime": int(entry["integratedTime"]),
                "logID": self.log_id.hex(),
                "logIndex": int(entry["logIndex"]),
                "verification": {
                    "signedEntryTimestamp": entry["inclusionPromise"]["signedEntryTimestamp"],
                    "inclusionProof": {
                        "logIndex": int(proof["logIndex"]),
                        "treeSize": int(proof["treeSize"]),
                        "rootHash": base64.b64decode(proof["rootHash"]).hex(),
                        "hashes": [base64.b64decode(each).hex() for each in proof["hashes"]],
                        "checkpoint": proof["checkpoint"]["envelope"],
                    },
                },
            }
        }

    def enter(self, body: Json, *, time_s: int | None = None) -> Json:
        """`time_s`: when the log says that it took it."""
        stored = rfc8785.dumps(body)
        leaf = self._tree.add(stored)
        time_s = int(now().timestamp()) if time_s is None else time_s
        promised: Json = {
            "body": b64(stored),
            "integratedTime": time_s,
            "logID": self.log_id.hex(),
            "logIndex": leaf.index,
        }
        checkpoint = _checkpoint(f"{self._name} - 42", self._name, leaf, self.log_id, self._sign)
        return {
            **_entry(leaf, self.log_id, body, stored, checkpoint),
            "integratedTime": str(time_s),
            "inclusionPromise": {"signedEntryTimestamp": b64(self._sign(rfc8785.dumps(promised)))},
        }

    def _sign(self, content: bytes) -> bytes:
        return self._private.sign(content, ec.ECDSA(SHA256()))


class Rekor2:
    """Answers when the entry is in the log; knows no time."""

    key_details = "PKIX_ED25519"

    def __init__(self, name: str) -> None:
        self._name = name
        self._private = ed25519.Ed25519PrivateKey.generate()
        self._tree = _Tree()
        self.key = self._private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        raw = self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.log_id = hashlib.sha256(name.encode() + b"\n\x01" + raw).digest()  # C2SP's signed-note, "Signatures"

    def answer(self, request: Json) -> Json:
        asked = request["hashedRekordRequestV002"]
        hashed = {"data": {"algorithm": "SHA2_256", "digest": asked["digest"]}, "signature": asked["signature"]}
        return self.enter({"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": {"hashedRekordV002": hashed}})

    def enter(self, body: Json) -> Json:
        stored = rfc8785.dumps(body)
        leaf = self._tree.add(stored)
        checkpoint = _checkpoint(self._name, self._name, leaf, self.log_id, self._private.sign)
        return {**_entry(leaf, self.log_id, body, stored, checkpoint), "integratedTime": "0"}


def _entry(leaf: _Leaf, log_id: bytes, body: Json, stored: bytes, checkpoint: str) -> Json:
    return {
        "logIndex": str(leaf.index),
        "logId": {"keyId": b64(log_id)},
        "kindVersion": {"kind": body["kind"], "version": body["apiVersion"]},
        "inclusionProof": {
            "logIndex": str(leaf.index),
            "rootHash": b64(leaf.root),
            "treeSize": str(leaf.size),
            "hashes": [b64(each) for each in leaf.hashes],
            "checkpoint": {"envelope": checkpoint},
        },
        "canonicalizedBody": b64(stored),
    }


def _stored(request: Mapping[str, Any]) -> Json:
    """What Rekor 1 keeps of a proposed entry."""
    match request:
        case {"kind": "hashedrekord", "apiVersion": version, "spec": {"data": data, "signature": signature}}:
            kept = {"content": signature["content"], "publicKey": {"content": signature["publicKey"]["content"]}}
            hashed = {"hash": {name: data["hash"][name] for name in ("algorithm", "value")}}
            return {"apiVersion": version, "kind": "hashedrekord", "spec": {"data": hashed, "signature": kept}}
        case {"kind": "dsse", "apiVersion": version, "spec": {"proposedContent": proposed}}:
            return {"apiVersion": version, "kind": "dsse", "spec": dsse_spec(**proposed)}
        case _:
            raise AssertionError(f"Rekor 1 takes no such entry: {request}")


def dsse_spec(envelope: str, verifiers: list[str]) -> Json:
    """What Rekor 1 keeps of an envelope: its hashes and signatures."""
    read = json.loads(envelope)
    payload = base64.b64decode(read["payload"])
    return {
        "envelopeHash": {"algorithm": "sha256", "value": hashlib.sha256(envelope.encode()).hexdigest()},
        "payloadHash": {"algorithm": "sha256", "value": hashlib.sha256(payload).hexdigest()},
        "signatures": [{"signature": each["sig"], "verifier": verifiers[0]} for each in read["signatures"]],
    }
