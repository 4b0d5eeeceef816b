"""Notes of what lies on the disk, and receipts of them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from agent_sync.receipt.facts import ABSENT, Facts, Receipt, StatKey, stat_key
from agent_sync.receipt.recorder import Recorder

LATER_NS = 1 << 62
"""A time at which nothing that a test has just written is young any more."""


def notes_of(
    *,
    started_ns: int = LATER_NS,
    hashed: Iterable[Path] = (),
    trusted: Iterable[Path] = (),
    seen: Iterable[Path] = (),
    followed: Iterable[Path] = (),
    directories: Iterable[Path] = (),
    roots: Iterable[Path] = (),
    listings: Iterable[Path] = (),
) -> Recorder:
    """Notes of these paths as they are now."""
    recorder = Recorder(started_ns=started_ns)
    for path in hashed:
        recorder.read(str(path), key_at(path), sha256_of(path), trusting=False)
    for path in trusted:
        recorder.read(str(path), key_at(path), sha256_of(path), trusting=True)
    for path in seen:
        recorder.seen(str(path), key_at(path))
    for path in followed:
        note_followed(path, recorder)
    for path in directories:
        recorder.directory(str(path), key_at(path))
    for path in roots:
        recorder.root(str(path), stat_key(path.stat()))
    for path in listings:
        recorder.listing(str(path), key_at(path), sorted(os.listdir(path), key=os.fsencode))
    return recorder


def note_followed(path: Path, recorder: Recorder) -> None:
    if path.exists():
        recorder.followed(str(path), stat_key(path.stat()), sha256_of(path))
    else:
        recorder.followed(str(path))


def key_at(path: Path) -> StatKey:
    """The key of what stands there; a link is itself."""
    return stat_key(path.lstat()) if os.path.lexists(path) else ABSENT


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def a_receipt(
    recorder: Recorder, *, key: str = "directory-key", created_s: int = 0, directory: str = "/nowhere"
) -> Receipt:
    """The receipt of what was recorded, which must not be invalidated."""
    receipt = recorder.receipt(key, (), created_s=created_s, directory=directory)
    assert receipt is not None
    return receipt


def facts_of(recorder: Recorder, *, directory: str = "/nowhere") -> Facts:
    return a_receipt(recorder, directory=directory).facts


def same_tick(path: Path, change: Callable[[Path], object]) -> tuple[StatKey, str]:
    """What a run would have noted of the file, had it been changed once more within one tick of the file system's
    clock: the key that it has afterwards, and the digest that it had before.
    """
    before = sha256_of(path)
    change(path)
    return key_at(path), before
