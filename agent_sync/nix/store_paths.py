"""Where something lies in a Nix store: a function of what it holds and what it is called (Nix manual, "Store Path").

Only content-addressed paths without references: a tree by its NAR, a single file by its bytes.
"""

from __future__ import annotations

import hashlib
import re

STORE_DIR = "/nix/store"
"""Where the store of nearly every machine lies; it is part of what is hashed."""
TREE_NAME = "source"
"""What a tree is called in a store, as Nix's own fetchers call what they fetch."""

_ALPHABET = "0123456789abcdfghijklmnpqrsvwxyz"  # no e, o, t, u
_PATH_BYTES = 20
_MAX_NAME = 200  # Nix allows 211
_NOT_IN_A_NAME = re.compile(rb"[^A-Za-z0-9+._?=-]")


def nix32(digest: bytes) -> str:
    """A digest in Nix's own base 32: from the end, five bits a character."""
    number = int.from_bytes(digest, "little")
    length = (len(digest) * 8 + 4) // 5
    return "".join(_ALPHABET[number >> 5 * place & 31] for place in reversed(range(length)))


def path_of_tree(nar_sha256: bytes, *, store_dir: str = STORE_DIR) -> str:
    """The path of a tree whose NAR has this SHA-256."""
    return _path("source", nar_sha256.hex(), TREE_NAME, store_dir)


def path_of_file(sha256: bytes, name: str, *, store_dir: str = STORE_DIR) -> str:
    """The path of a file with this SHA-256, as `builtins.fetchurl` adds it; see `name_of`."""
    fixed = hashlib.sha256(f"fixed:out:sha256:{sha256.hex()}:".encode()).hexdigest()
    return _path("output:out", fixed, name, store_dir)


def name_of(url: str) -> str:
    """What a file is called in a store: the last segment of its address, less what may not stand there.

    nix/lock.nix says the same in Nix, where there are bytes and no characters.
    """
    path = re.split("[?#]", url, maxsplit=1)[0].rstrip("/")
    last = path.rpartition("/")[2].encode("utf-8", "surrogatepass")
    name = _NOT_IN_A_NAME.sub(b"-", last)[:_MAX_NAME].decode()
    return f"source{name}" if not name or name.startswith(".") else name


def _path(kind: str, inner: str, name: str, store_dir: str) -> str:
    digest = hashlib.sha256(f"{kind}:sha256:{inner}:{store_dir}:{name}".encode()).digest()
    folded = bytearray(_PATH_BYTES)
    for place, byte in enumerate(digest):
        folded[place % _PATH_BYTES] ^= byte
    return f"{store_dir}/{nix32(bytes(folded))}-{name}"
