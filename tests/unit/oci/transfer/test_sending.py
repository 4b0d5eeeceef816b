"""Sending blobs, and what runs under it: several at once, and a blob that goes from a writing to a reading call."""

from __future__ import annotations

import hashlib
import io
import threading
import time
from collections.abc import Callable
from typing import BinaryIO

import pytest

from agent_sync_oci.manifest import Descriptor
from agent_sync_oci.registry.memory import MemoryRegistry
from agent_sync_oci.registry.protocol import OpenBody, Write
from agent_sync_oci.transfer.concurrent import MAX_TRANSFERS, Pipe, concurrently
from agent_sync_oci.transfer.copy import TransferResult, push_blobs
from tests.builders.artifacts import blob_of, described, put_blob


class Broken(Exception):
    """What may happen in the middle."""


def outgoing(content: bytes) -> tuple[Descriptor, Callable[[], BinaryIO]]:
    return described(content), lambda: io.BytesIO(content)


def never() -> BinaryIO:
    raise AssertionError("it was not to be opened")


def test_every_blob_is_sent_once_and_none_that_is_there() -> None:
    registry = MemoryRegistry()
    put_blob(registry, b"there")
    sent = push_blobs(registry, [outgoing(b"one"), outgoing(b"three"), outgoing(b"one"), (described(b"there"), never)])
    assert sent == TransferResult(blobs=2, bytes=8, skipped=1)
    assert [blob_of(registry, described(content)) for content in (b"one", b"three")] == [b"one", b"three"]
    assert push_blobs(registry, [(described(b"one"), never)]) == TransferResult(blobs=0, bytes=0, skipped=1)
    assert push_blobs(registry, []) == TransferResult()


def test_eight_are_on_their_way_at_once() -> None:
    together = threading.Barrier(MAX_TRANSFERS)

    class Meeting(MemoryRegistry):
        def put_blob(self, blob: Descriptor, open_body: OpenBody, *, mount_from: str | None = None) -> None:
            together.wait(10)
            super().put_blob(blob, open_body, mount_from=mount_from)

    assert (
        push_blobs(Meeting(), [outgoing(b"%d" % number) for number in range(2 * MAX_TRANSFERS)]).blobs
        == 2 * MAX_TRANSFERS
    )


def test_results_come_in_the_order_of_the_items() -> None:
    def slower_first(number: int) -> int:
        time.sleep(0.002 * (10 - number))
        return number

    assert concurrently(slower_first, range(10)) == list(range(10))


def test_the_first_error_in_order_is_raised_and_what_had_not_begun_never_does() -> None:
    begun: list[int] = []

    def work(number: int) -> None:
        begun.append(number)
        if number == 2:
            raise Broken
        time.sleep(0.01)

    with pytest.raises(Broken):
        concurrently(work, range(1_000))
    count = len(begun)
    assert count < 100
    time.sleep(0.05)
    assert len(begun) == count


EVERY_BYTE = hashlib.sha256(b"seed").digest() * 100_000


def in_pieces(write: Write, size: int = 70_000) -> None:
    for start in range(0, len(EVERY_BYTE), size):
        write(EVERY_BYTE[start : start + size])


@pytest.mark.parametrize("size", [1, 999, 70_000, 1 << 22])
def test_a_relay_hands_on_every_byte_in_order(size: int) -> None:
    content = EVERY_BYTE if size > 1 else EVERY_BYTE[:1_000]
    with io.BufferedReader(
        Pipe(lambda write: [write(content[at : at + size]) for at in range(0, len(content), size)])
    ) as body:
        assert body.read() == content
        assert body.read(1) == b""


def test_empty_pieces_are_no_end() -> None:
    with Pipe(lambda write: [write(piece) for piece in (b"", b"one", b"", b"two", b"")]) as body:
        assert body.readall() == b"onetwo"


def test_what_the_writing_call_raises_is_raised_to_the_reader_after_what_came_before() -> None:
    def produce(write: Write) -> None:
        write(b"one")
        raise Broken

    with Pipe(produce) as body:
        assert body.read(3) == b"one"
        for _ in range(2):
            with pytest.raises(Broken):
                body.read(1)


def test_closing_ends_the_writing_call() -> None:
    before = threading.active_count()
    body = Pipe(in_pieces)
    assert body.read(5) == EVERY_BYTE[:5]
    body.close()
    assert threading.active_count() == before


def test_a_writer_is_not_far_ahead_of_its_reader() -> None:
    ahead = 0

    def produce(write: Write) -> None:
        nonlocal ahead
        for _ in range(1_000):
            ahead += 65_536
            write(bytes(65_536))

    with Pipe(produce) as body:
        body.read(1)
        time.sleep(0.1)
        assert ahead <= 2 << 20
