"""Notes of what lies on the disk, and receipts of them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from agent_sync.receipt.facts import ABSENT, Facts, Key, key_of
from agent_sync.receipt.noting import Notes
from agent_sync.receipt.receipts import Receipt

LATER_NS = 1 << 62
"""A time at which nothing that a test has just written is young any more."""


def notes_of(
    *,
    begun_ns: int = LATER_NS,
    hashed: Iterable[Path] = (),
    trusted: Iterable[Path] = (),
    seen: Iterable[Path] = (),
    followed: Iterable[Path] = (),
    directories: Iterable[Path] = (),
    roots: Iterable[Path] = (),
    listings: Iterable[Path] = (),
) -> Notes:
    """Notes of these paths as they are now."""
    notes = Notes(begun_ns=begun_ns)
    for path in hashed:
        notes.read(str(path), key_at(path), sha256_of(path), trusting=False)
    for path in trusted:
        notes.read(str(path), key_at(path), sha256_of(path), trusting=True)
    for path in seen:
        notes.seen(str(path), key_at(path))
    for path in followed:
        note_followed(path, notes)
    for path in directories:
        notes.directory(str(path), key_at(path))
    for path in roots:
        notes.root(str(path), key_of(path.stat()))
    for path in listings:
        notes.listing(str(path), key_at(path), sorted(os.listdir(path), key=os.fsencode))
    return notes


def note_followed(path: Path, notes: Notes) -> None:
    if path.exists():
        notes.followed(str(path), key_of(path.stat()), sha256_of(path))
    else:
        notes.followed(str(path))


def key_at(path: Path) -> Key:
    """The key of what stands there; a link is itself."""
    return key_of(path.lstat()) if os.path.lexists(path) else ABSENT


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def a_receipt(
    notes: Notes, *, question: str = "directory-question", made_s: int = 0, directory: str = "/nowhere"
) -> Receipt:
    """The receipt of these notes, which must not be spoilt."""
    receipt = notes.receipt(question, (), made_s=made_s, directory=directory)
    assert receipt is not None
    return receipt


def facts_of(notes: Notes, *, directory: str = "/nowhere") -> Facts:
    return a_receipt(notes, directory=directory).facts


def same_tick(path: Path, change: Callable[[Path], object]) -> tuple[Key, str]:
    """What a run would have noted of the file, had it been changed once more within one tick of the file system's
    clock: the key that it has afterwards, and the digest that it had before.
    """
    before = sha256_of(path)
    change(path)
    return key_at(path), before
