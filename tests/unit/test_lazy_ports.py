"""A port that is made when it is first used."""

from __future__ import annotations

import threading
import time

import pytest

from agent_sync.wiring import lazy


class Counter:
    """Counts how often it was made."""

    made = 0

    def __init__(self) -> None:
        time.sleep(0.05)  # long enough for another thread to come by
        type(self).made += 1

    def answer(self) -> str:
        return "here"


@pytest.fixture(autouse=True)
def _none_made() -> None:
    Counter.made = 0


def test_nothing_is_made_before_it_is_used() -> None:
    port = lazy(Counter)
    assert Counter.made == 0
    assert port.answer() == "here"
    assert port.answer() == "here"
    assert Counter.made == 1


def test_threads_share_one() -> None:
    port = lazy(Counter)
    threads = [threading.Thread(target=port.answer) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter.made == 1


def test_what_cannot_be_made_says_so_each_time() -> None:
    def refuse() -> Counter:
        raise LookupError("no such thing")

    port = lazy(refuse)
    for _ in range(2):
        with pytest.raises(LookupError, match="no such thing"):
            port.answer()
