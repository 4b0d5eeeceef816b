"""Git objects written as they are told to be, into a bare repository: what no git command would make."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence
from pathlib import Path

Line = tuple[str, bytes, str]
"""One line of a tree: mode as text, name, object id."""


def write_object(repository: Path, kind: str, content: bytes) -> str:
    """The id of the object, which is in the repository from now on."""
    whole = f"{kind} {len(content)}".encode() + b"\0" + content
    oid = hashlib.sha1(whole, usedforsecurity=False).hexdigest()
    path = repository / "objects" / oid[:2] / oid[2:]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(zlib.compress(whole))
    return oid


def write_tree(repository: Path, lines: Sequence[Line]) -> str:
    """The id of a tree of exactly these lines, in this order."""
    content = b"".join(mode.encode() + b" " + name + b"\0" + bytes.fromhex(oid) for mode, name, oid in lines)
    return write_object(repository, "tree", content)


def write_commit(repository: Path, tree: str, *, branch: str = "main", headers: str = "") -> str:
    """The id of a commit of this tree; the branch points to it. `headers` are further lines, each with its end."""
    who = "A <a@example.org> 1700000000 +0000"
    content = f"tree {tree}\nauthor {who}\ncommitter {who}\n{headers}\na change\n".encode()
    oid = write_object(repository, "commit", content)
    (repository / "refs" / "heads" / branch).write_text(f"{oid}\n", encoding="ascii")
    return oid
