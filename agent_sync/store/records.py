"""Small records beside the blobs: what the store remembers of them, by kind and key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress

from agent_sync.errors import FileFault, UnsafePath
from agent_sync.ports import Folder, Kind
from agent_sync.store.staging import put
from agent_sync.tree import RelPath, join

MAX_RECORD_BYTES = 4 << 20

BUNDLES = "bundles"
"""Bundles that were pulled or signed here. The first half of their keys is the sha256 of the lockfile."""
CARRIERS = "carriers"
"""Artifacts of registries that were found to carry a blob. The first half of their keys is the blob's sha256."""
SIGNERS = "signers"
"""Who signed a bundle the last time. Their keys are the sha256 of the bundle's name."""

_RECORDS = RelPath("records")
_KIND = re.compile(r"[a-z]{1,32}")
_KEY = re.compile(r"[0-9a-f]{64}(\.[0-9a-f]{64})?")


def write_record(folder: Folder, kind: str, key: str, content: bytes) -> None:
    """The record is there with this content. `key` is one or two sha256 in hexadecimal digits, a `.` between them."""
    assert _KIND.fullmatch(kind), kind
    assert _KEY.fullmatch(key), key
    put(folder, _place(kind, key), content)


def read_records(folder: Folder, kind: str, prefix: str) -> Iterator[tuple[str, bytes]]:
    """Key and content of each record whose key begins with `prefix`, sorted by key; what is no record is passed over.

    Nothing vouches for them: whoever reads one proves it.
    """
    for name in folder.names(join(_RECORDS, RelPath(kind))):
        if name.startswith(prefix) and _KEY.fullmatch(name):
            with suppress(FileFault, UnsafePath):
                stat = folder.stat(_place(kind, name))
                if stat is not None and stat.kind is Kind.FILE and stat.size <= MAX_RECORD_BYTES:
                    with folder.open(_place(kind, name)) as file:
                        yield name, file.read(MAX_RECORD_BYTES)


def remove_record(folder: Folder, kind: str, key: str) -> None:
    """There is no such record."""
    folder.remove(_place(kind, key))


def _place(kind: str, key: str) -> RelPath:
    return join(join(_RECORDS, RelPath(kind)), RelPath(key))
