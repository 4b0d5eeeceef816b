"""The items of a bundle: the blobs that a lock needs."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import NamedTuple

from agent_sync.bundle.names import DERIVED, SOURCE
from agent_sync.errors import LockInvalid
from agent_sync.lock import Lock, LockedSource
from agent_sync.sources.content import PackedTree, SingleFile
from agent_sync_oci.digest import Digest


class Item(NamedTuple):
    """One blob: the canonical tar of `packed`, or a file as it is where `packed` is None.

    `file` is its name in signed statements. `size` is in bytes, None where another implementation's lock has none.
    """

    title: str
    file: str
    artifact_type: str
    blob: Digest
    size: int | None
    packed: PackedTree | None = None

    @property
    def what(self) -> str:
        """Return the item's name in messages."""
        return f"bundle part {self.title}"


def items_of(lock: Lock) -> tuple[Item, ...]:
    """Return every source, then what transforms and overrides derived, in the order of the lock.

    Raises:
        LockInvalid: the lock of another implementation names no blob for a source.
    """
    sources = tuple(map(item_of, lock.sources))
    for source, item in zip(lock.sources, sources, strict=True):
        if item is None:
            raise LockInvalid(
                subject=f"source {source.name}",
                check="the lock names no blob (`blob`) for this source; another implementation wrote it",
                remedy="agent-sync update",
            )
    return (*(item for item in sources if item is not None), *derived_items(lock))


def item_of(source: LockedSource) -> Item | None:
    """Return the source before any transform; None if the lock, another implementation's, names no blob."""
    content = source.pin.content
    if isinstance(content, SingleFile):
        return Item(source.name, posixpath.basename(content.key), SOURCE, content.blob, content.size)
    return _tree(source.name, SOURCE, content)


def derived_items(lock: Lock) -> tuple[Item, ...]:
    """Return what transforms and overrides derived."""
    return tuple(item for item in _derived(lock) if item is not None)


def _derived(lock: Lock) -> Iterator[Item | None]:
    for source in lock.sources:
        if source.transformed is not None:
            yield _tree(f"{source.name} (transformed)", DERIVED, source.transformed.packed)
    if lock.rendered is not None:
        yield _tree("(rendered)", DERIVED, lock.rendered.packed)


def _tree(title: str, artifact_type: str, packed: PackedTree | None) -> Item | None:
    if packed is None or packed.blob is None:
        return None
    return Item(title, f"{title}.tar", artifact_type, packed.blob, packed.size, packed)
