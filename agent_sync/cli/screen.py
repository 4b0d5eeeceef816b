"""The screen: results go to standard output, messages to standard error, and the reader of either may be gone."""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from typing import Literal, TextIO

from agent_sync.cli.text import Line, render
from agent_sync.errors import FileSystemError
from agent_sync.receipt.replay import with_ages


@dataclass(frozen=True, slots=True)
class Streams:
    """The streams that the program reads and writes."""

    stdin: TextIO
    stdout: TextIO
    stderr: TextIO


class OutputLost(FileSystemError):
    """Standard output cannot be written, for another reason than that its reader has gone."""


class Screen:
    """Writes lines, in color only on a terminal; with `quiet`, errors only.

    `live` says whether progress may be drawn on standard error, `can_ask` whether a person is at the terminal. Every
    write happens within `suspend_display`. `on_output` gets every byte that is written, with ages marked, and its
    descriptor.
    """

    def __init__(
        self,
        streams: Streams,
        environment: Mapping[str, str],
        *,
        no_color: bool = False,
        quiet: bool = False,
        on_output: Callable[[int, bytes], None] | None = None,
    ) -> None:
        plain = no_color or bool(environment.get("NO_COLOR")) or environment.get("TERM") == "dumb"
        self._streams = streams
        self._quiet = quiet
        self._on_output = on_output
        self._color_out = not plain and _is_terminal(streams.stdout)
        self._color_err = not plain and _is_terminal(streams.stderr)
        self.live = self._color_err and not quiet
        self.can_ask = not quiet and _is_terminal(streams.stdin) and _is_terminal(streams.stderr)
        self.suspend_display: Callable[[], AbstractContextManager[None]] = nullcontext

    def show(self, lines: Iterable[Line]) -> None:
        """Write the lines to standard output; nothing happens if its reader has gone. Raises OutputLost."""
        if not self._quiet:
            self.write("".join(f"{render(line, color=self._color_out)}\n" for line in lines))

    def write(self, text: str) -> None:
        """Write the text to standard output as it is, even with `quiet`: a program reads it. Raises OutputLost."""
        stdout = self._streams.stdout
        self._record(1, stdout, text)
        text = with_ages(text, time.time())
        try:
            with self.suspend_display():
                stdout.write(text)
                stdout.flush()
        except BrokenPipeError:
            release(stdout)  # whoever reads has seen enough: that is no failure
        except OSError as error:
            release(stdout)
            check = f"cannot be written: {error.strerror}"
            raise OutputLost(
                subject="standard output", check=check, remedy="redirect the output to another file"
            ) from error

    def say(self, *lines: Line, error: bool = False) -> None:
        """Write the lines to standard error; with `quiet` only if they are about an error."""
        if self._quiet and not error:
            return
        self._write_error("".join(f"{render(line, color=self._color_err)}\n" for line in lines))

    def ask(self, question: str) -> str:
        """Ask the person at the terminal, and return the answer; empty at the end of input."""
        self._write_error(render(question, color=False))
        answer = self._streams.stdin.readline()
        if not answer:
            self._write_error("\n")  # nobody pressed Enter
        return answer.strip()

    def ask_secret(self, question: str) -> str:
        """Ask for something secret: what is typed is not shown."""
        import getpass

        return getpass.getpass(render(question, color=False), stream=self._streams.stderr)

    @property
    def stderr(self) -> TextIO:
        """The stream that progress is drawn on."""
        return self._streams.stderr

    def _write_error(self, text: str) -> None:
        self._record(2, self._streams.stderr, text)
        text = with_ages(text, time.time())
        try:
            with self.suspend_display():
                self._streams.stderr.write(text)
                self._streams.stderr.flush()
        except OSError:  # nobody is left to be told
            release(self._streams.stderr)

    def _record(self, descriptor: int, stream: TextIO, text: str) -> None:
        if self._on_output is not None:
            self._on_output(descriptor, text.encode(stream.encoding, stream.errors or "strict"))


def standard_streams() -> Streams:
    """Return the streams of this process. A stream that was closed leads nowhere, and no file gets its number."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # noqa: FBT003  # it takes no keyword
    sys.stdin, sys.stdout, sys.stderr = _opened(sys.stdin, "r"), _opened(sys.stdout, "w"), _opened(sys.stderr, "w")
    return Streams(sys.stdin, sys.stdout, sys.stderr)


def release(stream: TextIO) -> None:
    """Discard what is still to be written to a stream that nobody reads: the interpreter flushes it once more."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _opened(stream: TextIO | None, mode: Literal["r", "w"]) -> TextIO:
    """Return the stream, which escapes what its encoding lacks. Python has None for a stream that was closed."""
    if stream is None:
        return open(os.devnull, mode, encoding="utf-8")
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    return stream


def _is_terminal(stream: TextIO) -> bool:
    return not stream.closed and stream.isatty()
