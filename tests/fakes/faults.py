"""Faults that happen at a chosen call to a directory in memory."""

from __future__ import annotations

from collections.abc import Callable

from agent_sync.errors import FileSystemError
from tests.fakes.directory import MemoryDirectory, unheard


class Killed(BaseException):
    """The process is no more: from the first call that raises this on, every call does."""


def an_error() -> FileSystemError:
    return FileSystemError(subject="a file", check="cannot go on: Input/output error", remedy="look at the disk")


class Faults:
    """Raises at the calls with these numbers, counted from 0; with `for_ever`, at every call from the first one on."""

    def __init__(self, *calls: int, error: Callable[[], BaseException], for_ever: bool = False) -> None:
        self.happened = 0
        self._calls = calls
        self._error = error
        self._for_ever = for_ever
        self._seen = 0

    def __call__(self, _verb: str, _path: str) -> None:
        number, self._seen = self._seen, self._seen + 1
        if number in self._calls or (self._for_ever and number >= self._calls[0]):
            self.happened += 1
            raise self._error()

    def during(self, work: Callable[[], object], directory: MemoryDirectory) -> BaseException | None:
        """What comes out of `work` with these faults, if anything does; afterwards there are none."""
        directory.machine.before_call = self
        try:
            work()
        except (Killed, KeyboardInterrupt, Exception) as error:  # noqa: BLE001  # whatever it is, the test looks at it
            return error
        finally:
            directory.machine.before_call = unheard
        return None
