"""A new key pair as two files, of which only the public one is for others."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass

from agent_sync.errors import FileFault
from agent_sync_oci.signing.keys import generate


@dataclass(frozen=True, slots=True)
class KeyFiles:
    """Where the halves of a key pair lie, and how signatures name the key."""

    private: str
    public: str
    hint: str


def write_key_pair(prefix: str, pass_phrase: bytes) -> KeyFiles:
    """A new pair: `prefix`.key, encrypted, for its owner alone (mode 0600), and `prefix`.pub.

    Raises: FileFault if one of them is there already, or cannot be written; then neither was made.
    """
    from agent_sync_oci.signing.keys import load_public

    pair = generate(pass_phrase)
    private, public = f"{prefix}.key", f"{prefix}.pub"
    _write_new(private, pair.private_pem, mode=0o600)
    try:
        _write_new(public, pair.public_pem, mode=0o644)
    except FileFault:
        with suppress(OSError):
            os.unlink(private)
        raise
    return KeyFiles(private, public, load_public(pair.public_pem).hint)


def _write_new(path: str, content: bytes, *, mode: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        with open(descriptor, "wb") as file:
            file.write(content)
    except OSError as error:
        raise FileFault(
            subject=path, check=f"it cannot be written: {error.strerror}", remedy="name another --output"
        ) from error
