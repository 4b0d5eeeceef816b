"""What `Fetcher` promises, held against the memory one and the real one with and without TLS."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from agent_sync.errors import Cancelled, LimitExceeded, NetworkError
from agent_sync.ports import Cancellation, Fetcher
from tests.builders.fetching import a_fetcher, body_of
from tests.builders.projects import MemoryWeb
from tests.real.authority import Authority
from tests.real.https_files import FileServer

EVERY_BYTE = bytes(range(256)) * 5_000


@dataclass(frozen=True, slots=True)
class Web:
    """A fetcher, a way to publish for it, and an address where nothing is."""

    fetcher: Fetcher
    publish: Callable[[str, bytes], str]
    nothing: str


@pytest.fixture(params=["memory", "http", "https"])
def web(request: pytest.FixtureRequest, authority: Authority) -> Web:
    if request.param == "memory":
        memory = MemoryWeb()

        def publish(path: str, content: bytes) -> str:
            memory.served[f"https://memory/{path}"] = content
            return f"https://memory/{path}"

        return Web(memory, publish, "https://memory/nothing")
    files: FileServer = request.getfixturevalue(f"{request.param}_files")
    return Web(a_fetcher(authority), files.publish, f"{files.server.url}/nothing")


@pytest.mark.parametrize("content", [b"", b"be kind\r\n", EVERY_BYTE], ids=["empty", "short", "every byte"])
def test_every_byte_arrives_once_and_in_order(web: Web, content: bytes) -> None:
    assert body_of(web.publish("a", content), web.fetcher) == content


def test_a_body_of_exactly_the_limit_is_taken_and_one_byte_more_is_not(web: Web) -> None:
    url = web.publish("a", b"12345")
    assert body_of(url, web.fetcher, max_bytes=5) == b"12345"
    with pytest.raises(LimitExceeded, match=r"\(max_file_size\)"):
        body_of(url, web.fetcher, max_bytes=4)
    with pytest.raises(LimitExceeded, match=r"\(max_source_size\)"):
        body_of(url, web.fetcher, max_bytes=4, size_key="max_source_size")


def test_what_is_not_there_is_a_network_error(web: Web) -> None:
    with pytest.raises(NetworkError, match="404"):
        body_of(web.nothing, web.fetcher)


def test_who_has_cancelled_gets_nothing(web: Web) -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(Cancelled):
        body_of(web.publish("a", b"x"), web.fetcher, cancellation=cancellation)


def test_what_the_writer_raises_comes_out_and_the_next_fetch_works(web: Web) -> None:
    url = web.publish("a", EVERY_BYTE)

    def full(_: bytes) -> None:
        raise BrokenPipeError("the disk is full")

    with pytest.raises(BrokenPipeError, match="the disk is full"):
        web.fetcher.fetch(url, full, max_bytes=10**7, timeout_s=20, cancellation=Cancellation())
    assert body_of(url, web.fetcher) == EVERY_BYTE


def test_the_thread_of_the_caller_does_the_writing(web: Web) -> None:
    writers: set[int] = set()
    url = web.publish("a", EVERY_BYTE)
    web.fetcher.fetch(
        url, lambda _: writers.add(threading.get_ident()), max_bytes=10**7, timeout_s=20, cancellation=Cancellation()
    )
    assert writers == {threading.get_ident()}


def test_many_threads_fetch_at_once_and_each_gets_its_own(web: Web) -> None:
    contents = [hashlib.sha256(b"%d" % number).digest() * 3_000 for number in range(24)]
    urls = [web.publish(f"file{number}", content) for number, content in enumerate(contents)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda url: body_of(url, web.fetcher), urls)) == contents


def test_a_fetch_leaves_no_thread_and_no_open_file(web: Web) -> None:
    url = web.publish("a", b"x")
    body_of(url, web.fetcher)  # whatever is kept for good is there now
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        body_of(url, web.fetcher)
    give_up = time.monotonic() + 10
    while len(os.listdir("/proc/self/fd")) > before and time.monotonic() < give_up:  # the server closes after us
        time.sleep(0.01)
    assert len(os.listdir("/proc/self/fd")) <= before
    assert not [thread for thread in threading.enumerate() if thread.name == "agent-sync-fetch"]
