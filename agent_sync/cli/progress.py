"""The observer of the command line: progress bars on a terminal, warnings at once, the rest kept for the end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent_sync.cli.error_text import warning_lines
from agent_sync.cli.screen import Screen
from agent_sync.cli.text import Line, Style, Styled, listed
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
from agent_sync_oci.text import printable_line

if TYPE_CHECKING:
    import rich.progress


# Shorter work shows nothing: it would only flicker, and loading rich takes longer than most commands.
DELAY_S = 0.4


@dataclass
class _Task:
    """One progress bar; `shown` is its number in the display, once it is there."""

    text: str
    done: int = 0
    total: int | None = None
    shown: rich.progress.TaskID | None = None


@dataclass
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
