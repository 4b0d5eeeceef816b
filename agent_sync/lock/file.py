"""Read and write the lock file: bytes to a checked `Lock`, a `Lock` to its one canonical text.

The order of trust: syntax (strict YAML), version, shape and values table by table, then consistency (no duplicate, no
reference to nothing). Errors of all but the last have line and column, those of the last name their subject.
"""

from __future__ import annotations

from agent_sync.documents import Document, emit, gc_paused, read_document
from agent_sync.errors import LockInvalid
from agent_sync.lock.consistency import check_consistency
from agent_sync.lock.model import VERSION, Lock
from agent_sync.sources.table import REMEDY, Table
from agent_sync_oci.text import quoted

MAX_LOCK_BYTES = 256 * 1024 * 1024


def read_lock(content: bytes, *, file: str = "agent-sync.lock", elsewhere: frozenset[str] = frozenset()) -> Lock:
    """Return the lock in `content`.

    `file` is its name in messages, `elsewhere` the sources of the lock that it overlays.

    Raises:
        LockInvalid: syntax, shape, version, a value, a duplicate or a reference to nothing.
        UnsafePath: a path that would leave the project or has a name that is not allowed.
        LimitExceeded: more than 256 MiB.
    """
    with gc_paused():
        document = read_document(content, file=file, error=LockInvalid, max_bytes=MAX_LOCK_BYTES, emitted=True)
        _require_version(document)
        lock = Lock.read(Table(document.data, document))
        check_consistency(lock, file=file, elsewhere=elsewhere)
        return lock


def lock_bytes(lock: Lock) -> bytes:
    """Return the text of the lock: a function of its values alone, so that equal locks are equal files."""
    return emit(lock.write()).encode()


def migrate_lock(content: bytes, *, file: str) -> bytes:
    """Return the lock in the current version's canonical text (spec §14.3).

    Version 1 is the first: only the spelling can change.

    Raises: LockInvalid for a version that no step leads from.
    """
    return lock_bytes(read_lock(content, file=file))


def _require_version(document: Document) -> None:
    version = document.data.get("version")
    if version is None:
        raise LockInvalid(subject=document.file, check="`version` is missing", remedy=REMEDY, place=document.place(()))
    if type(version) is not int:
        check = f"`version` is {quoted(str(version))}, not an integer"
    elif version != VERSION:
        check = f"version {version} is not known; this agent-sync reads version {VERSION}"
    else:
        return
    remedy = "use the agent-sync that wrote it, or see `agent-sync migrate`"
    raise LockInvalid(subject=document.file, check=check, remedy=remedy, place=document.place(("version",)))
