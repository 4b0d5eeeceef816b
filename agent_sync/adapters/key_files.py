"""Write a new key pair as two files; only the public one is for others."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from agent_sync.errors import FileSystemError
from agent_sync_oci.signing.keys import generate


@dataclass(frozen=True, slots=True)
class KeyFiles:
    """The paths of a key pair, and the name of the key in signatures."""

    private: str
    public: str
    hint: str


def write_key_pair(prefix: str, pass_phrase: bytes) -> KeyFiles:
    """Write a new pair: `prefix`.key, encrypted, for its owner alone (mode 0600), and `prefix`.pub.

    Raises:
        FileSystemError: one of them exists already, or cannot be written; then neither was made.
    """
    from agent_sync_oci.signing.keys import load_public

    pair = generate(pass_phrase)
    private, public = f"{prefix}.key", f"{prefix}.pub"
    with _new_file(private, pair.private_pem, mode=0o600), _new_file(public, pair.public_pem, mode=0o644):
        return KeyFiles(private, public, load_public(pair.public_pem).hint)


@contextmanager
def _new_file(path: str, content: bytes, *, mode: int) -> Iterator[None]:
    """Create the file, flushed to the disk, and remove it again if the `with` block fails.

    Raises: FileSystemError.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    except OSError as error:
        raise _fault(path, error) from error
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)  # a key that signed something, and was never on the disk, is lost for ever
        yield
    except OSError as error:
        _remove(path)
        raise _fault(path, error) from error
    except FileSystemError:
        _remove(path)
        raise


def _remove(path: str) -> None:
    with suppress(OSError):
        os.unlink(path)


def _fault(path: str, error: OSError) -> FileSystemError:
    remedy = "name another --output: a key is never overwritten" if isinstance(error, FileExistsError) else None
    return FileSystemError(
        subject=path,
        check=f"cannot be written: {error.strerror}",
        remedy=remedy or "name an existing directory that you may write to: --output PREFIX",
    )
