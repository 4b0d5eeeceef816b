"""The screen: results go to standard output, messages and progress bars to standard error, and readers may be gone."""

from __future__ import annotations

import io
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple, TextIO

from agent_sync.cli.report import Line, Style, Styled, listed, render, warning_lines
from agent_sync.errors import FileSystemError
from agent_sync.events import (
    BlobSetAside,
    CommandOutput,
    EditKept,
    Event,
    Progressed,
    RolledBack,
    SourceFinished,
    SourceStarted,
    Warned,
)
from agent_sync.receipt.replay import with_ages
from agent_sync_oci.text import printable_line

if TYPE_CHECKING:
    import rich.progress


class Streams(NamedTuple):
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


# Shorter work shows nothing: it would only flicker, and loading rich takes longer than most commands.
DELAY_S = 0.4


@dataclass(eq=False, repr=False)
class _Task:
    """One progress bar; `shown` is its number in the display, once it is there."""

    text: str
    done: int = 0
    total: int | None = None
    shown: rich.progress.TaskID | None = None


@dataclass(eq=False, repr=False)
class Progress:
    """Shows progress bars for long work until `finish`, and leaves nothing behind.

    Events come from any thread; one lock orders them, the timer, and other writes to the screen.
    """

    screen: Screen
    delay_s: float = DELAY_S
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _tasks: dict[str, _Task] = field(default_factory=dict)
    _timer: threading.Timer | None = None
    _display: rich.progress.Progress | None = None
    _finished: bool = False

    def note(self, event: Event) -> None:
        """Update the progress bars from the event."""
        with self._lock:
            if self._finished:
                return
            match event:
                case SourceStarted(source=source):
                    self._update(f"source {source}", _Task(source))
                case SourceFinished(source=source):
                    self._remove(f"source {source}")
                case Progressed(work=work, done=done, total=total) if total is not None and done >= total:
                    self._remove(work)
                case Progressed(work=work, done=done, total=total):
                    self._update(work, _Task(work, done, total))
                case _:
                    pass

    def finish(self) -> None:
        """Remove the display for good."""
        with self._lock:
            self._finished = True
            if self._timer is not None:
                self._timer.cancel()
            if self._display is not None:
                self._display.stop()
                self._display = None

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """Hide the display while something else is written."""
        with self._lock:
            display = self._display
            if display is not None:
                display.stop()
            yield
            if display is not None:
                display.start()

    def _update(self, key: str, task: _Task) -> None:
        known = self._tasks.setdefault(key, task)
        known.done, known.total = task.done, task.total
        if self._timer is None:
            self._timer = threading.Timer(self.delay_s, self._begin)
            self._timer.daemon = True
            self._timer.start()
        if self._display is not None:
            self._draw(self._display, known)

    def _remove(self, key: str) -> None:
        task = self._tasks.pop(key, None)
        if task is not None and task.shown is not None and self._display is not None:
            self._display.remove_task(task.shown)

    def _begin(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[count]}", markup=False),
        )
        with self._lock:
            if self._finished:
                return
            console = Console(file=self.screen.stderr)
            self._display = Progress(
                *columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False
            )
            for task in self._tasks.values():
                self._draw(self._display, task)
            self.screen.suspend_display = self.suspended
            self._display.start()

    @staticmethod
    def _draw(display: rich.progress.Progress, task: _Task) -> None:
        count = "" if task.total is None else f"{task.done}/{task.total}"
        if task.shown is None:
            task.shown = display.add_task(printable_line(task.text), total=task.total, completed=task.done, count=count)
        else:
            display.update(task.shown, completed=task.done, total=task.total, count=count)


class TerminalObserver:
    """An `Observer`. `warnings` has each warning once; `rolled_back` has the paths that were rolled back.

    With `document` nothing is shown: the warnings go into the document.
    """

    def __init__(self, screen: Screen, *, verbose: bool, document: bool) -> None:
        self.warnings: list[Warned] = []
        self.rolled_back: list[str] = []
        self.edits: list[EditKept] = []
        self._screen = screen
        self._verbose = verbose
        self._document = document
        self._lock = threading.Lock()
        self._progress = Progress(screen) if screen.live and not document and not verbose else None

    def __call__(self, event: Event, /) -> None:
        """Show the event, or keep it for the end. Nothing raises here: an observer must not."""
        if self._progress is not None:
            self._progress.note(event)
        match event:
            case Warned():
                self._warn(event)
            case BlobSetAside(digest=digest):
                self._warn(
                    Warned("blob-set-aside", f"blob {digest}", "corrupt; set aside, and fetched again when needed")
                )
            case RolledBack(paths=paths):
                self.rolled_back.extend(paths)
            case EditKept():
                self.edits.append(event)
            case _:
                if self._verbose:
                    self._screen.say(*_detail(event))

    def finish(self) -> None:
        """Remove the progress bars."""
        if self._progress is not None:
            self._progress.finish()

    def undone(self) -> list[Line]:
        """Return what a run that failed has rolled back, and which edits it kept (spec §9.1)."""
        lines: list[Line] = []
        if self.rolled_back:
            lines.append("rolled back; these files are as they were before:")
            lines += listed("  ", self.rolled_back)
        lines += [f"kept your edit of {printable_line(each.path)}: {printable_line(each.kept)}" for each in self.edits]
        return lines

    def _warn(self, warning: Warned) -> None:
        with self._lock:
            if warning in self.warnings:
                return
            self.warnings.append(warning)
        if not self._document:
            self._screen.say(*warning_lines(warning))


def _detail(event: Event) -> list[Line]:
    match event:
        case SourceStarted(source=source):
            return [(Styled("source ", Style.FAINT), printable_line(source), ": resolving")]
        case SourceFinished(source=source, error=error):
            return [(Styled("source ", Style.FAINT), printable_line(source), ": done" if error is None else ": failed")]
        case CommandOutput(source=source, text=text):
            printed = (f"  {line}" for line in text.rstrip("\n").split("\n"))
            return [(Styled("source ", Style.FAINT), printable_line(source), ": output of its command"), *printed]
        case _:
            return []
