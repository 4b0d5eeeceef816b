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


# -- A picture of long work that moves, for whoever waits at a terminal.

# Work that is done sooner shows nothing: it would only flicker, and loading rich takes longer than most commands.
DELAY_S = 0.4


@dataclass
class _Task:
    """One line of the picture; `shown` is its number in it, once it is there."""

    text: str
    done: int = 0
    total: int | None = None
    shown: rich.progress.TaskID | None = None


@dataclass
class Progress:
    """Shows what goes on, from the moment that it takes long until `finish`, and leaves nothing behind.

    Events come from any thread; one lock orders them, the timer, and what else is written to the screen.
    """

    screen: Screen
    delay_s: float = DELAY_S
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _works: dict[str, _Task] = field(default_factory=dict)
    _timer: threading.Timer | None = None
    _picture: rich.progress.Progress | None = None
    _finished: bool = False

    def note(self, event: Event) -> None:
        """The picture has what the event says."""
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
        """The picture is gone and comes back no more."""
        with self._lock:
            self._finished = True
            if self._timer is not None:
                self._timer.cancel()
            if self._picture is not None:
                self._picture.stop()
                self._picture = None

    @contextmanager
    def aside(self) -> Iterator[None]:
        """While something else is written the picture is not there."""
        with self._lock:
            picture = self._picture
            if picture is not None:
                picture.stop()
            yield
            if picture is not None:
                picture.start()

    def _update(self, key: str, work: _Task) -> None:
        known = self._works.setdefault(key, work)
        known.done, known.total = work.done, work.total
        if self._timer is None:
            self._timer = threading.Timer(self.delay_s, self._begin)
            self._timer.daemon = True
            self._timer.start()
        if self._picture is not None:
            self._draw(self._picture, known)

    def _remove(self, key: str) -> None:
        work = self._works.pop(key, None)
        if work is not None and work.shown is not None and self._picture is not None:
            self._picture.remove_task(work.shown)

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
            self._picture = Progress(
                *columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False
            )
            for work in self._works.values():
                self._draw(self._picture, work)
            self.screen.suspend_display = self.aside
            self._picture.start()

    @staticmethod
    def _draw(picture: rich.progress.Progress, work: _Task) -> None:
        count = "" if work.total is None else f"{work.done}/{work.total}"
        if work.shown is None:
            work.shown = picture.add_task(printable_line(work.text), total=work.total, completed=work.done, count=count)
        else:
            picture.update(work.shown, completed=work.done, total=work.total, count=count)


# -- Hears what happens while a verb works: warnings are told at once, the rest is kept for the end.


class TerminalObserver:
    """An `Observer`. `warnings` are those announced so far, each once; `rolled_back` the paths that were put back.

    With `document` nothing is told: the warnings go into the document.
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
        """Nothing raises here: an observer must not."""
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
        """Nothing moves on the screen any more."""
        if self._progress is not None:
            self._progress.finish()

    def undone(self) -> list[Line]:
        """What a run that failed has put back, and which edits it kept, for its reader (spec §9.1)."""
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
