"""Receipt <-> bytes: sections of bytes behind a checksum of them all; nothing in it could be executed."""

from __future__ import annotations

import os
import struct

from agent_sync.receipt.facts import DIGEST_BYTES, KEY, Facts, Files, Table
from agent_sync.receipt.hashing import UNSET, checksum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

MAGIC = b"agent-sync receipt 1\n"

_TIMES = struct.Struct("<qqq")
_LENGTH = struct.Struct("<Q")
_SAID = struct.Struct("<BQ")
_START = len(MAGIC) + 32
_TABLES = 5


class Receipt:
    """An answer: to which `question`, what was written to which descriptor (1 or 2), in order, and on which facts it
    rests.

    `made_s` is when the full run gave it, in seconds since 1970; `begun_ns` when the run began that last compared the
    facts with the world.
    """

    __slots__ = ("begun_ns", "facts", "made_s", "question", "said")

    def __init__(
        self, question: str, said: list[tuple[int, bytes]], facts: Facts, *, made_s: int, begun_ns: int
    ) -> None:
        self.question = question
        self.facts = facts
        self.said = said
        self.made_s = made_s
        self.begun_ns = begun_ns


def to_bytes(receipt: Receipt) -> bytes:
    """The receipt as it is stored."""
    body = b"".join(_LENGTH.pack(len(section)) + section for section in _sections(receipt))
    return MAGIC + checksum(body) + body


def from_bytes(content: bytes) -> Receipt:
    """The receipt. ValueError for anything that `to_bytes` has not written whole."""
    body = memoryview(content)[_START:]
    if content[: len(MAGIC)] != MAGIC or content[len(MAGIC) : _START] != checksum(body):
        raise ValueError("not a whole receipt")
    try:
        return _unpack(_split(body))
    except (StopIteration, struct.error) as error:
        raise ValueError("it lacks something") from error


def _sections(receipt: Receipt) -> Iterator[bytes]:
    facts = receipt.facts
    yield receipt.question.encode()
    yield _TIMES.pack(receipt.made_s, receipt.begun_ns, facts.youngest_ns)
    yield b"".join(_SAID.pack(descriptor, len(text)) + text for descriptor, text in receipt.said)
    yield os.fsencode("\0".join(facts.environment))
    yield b"".join(facts.environment.values())
    for table in facts.tables():
        yield table.paths
        yield bytes(table.keys)
        yield bytes(table.digests)


def _split(body: memoryview) -> Iterator[memoryview]:
    at = 0
    while at < len(body):
        (length,) = _LENGTH.unpack_from(body, at)
        at += _LENGTH.size
        yield body[at : at + length]
        at += length


def _unpack(sections: Iterator[memoryview]) -> Receipt:
    question = str(next(sections), "utf-8")
    made_s, begun_ns, youngest_ns = _TIMES.unpack(next(sections))
    said = list(_unpack_said(next(sections)))
    environment = _unpack_environment(bytes(next(sections)), bytes(next(sections)))
    tables = tuple(_unpack_table(sections) for _ in range(_TABLES))
    halves = (_unpack_files(sections), _unpack_files(sections))
    facts = Facts(environment, tables, halves, youngest_ns=youngest_ns)
    return Receipt(question, said, facts, made_s=made_s, begun_ns=begun_ns)


def _unpack_said(section: memoryview) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(section):
        descriptor, length = _SAID.unpack_from(section, at)
        at += _SAID.size
        yield descriptor, bytes(section[at : at + length])
        at += length


def _unpack_environment(names: bytes, digests: bytes) -> dict[str, bytes]:
    found = os.fsdecode(names).split("\0") if names else []
    return {name: digests[at * len(UNSET) : (at + 1) * len(UNSET)] for at, name in enumerate(found)}


def _unpack_files(sections: Iterator[memoryview]) -> Files:
    return Files(_unpack_table(sections), _unpack_table(sections), _unpack_table(sections))


def _unpack_table(sections: Iterator[memoryview]) -> Table:
    table = Table(next(sections), next(sections), next(sections))
    if len(table.keys) % KEY.size or len(table.digests) not in (0, DIGEST_BYTES * len(table)):
        raise ValueError("its tables do not fit together")
    return table
