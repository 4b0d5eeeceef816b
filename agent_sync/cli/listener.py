"""Hears what happens while a verb works: warnings are told at once, the rest is kept for the end."""

from __future__ import annotations

import threading

from agent_sync.cli.error_text import warning_line
from agent_sync.cli.escaping import printable_line
from agent_sync.cli.lines import Line, Style, Styled, listed
from agent_sync.cli.progress import Progress
from agent_sync.cli.screen import Screen
from agent_sync.events import (
    BlobSetAside,
    CommandOutput,
    EditKept,
    Event,
    RolledBack,
    SourceFinished,
    SourceStarted,
    Warned,
)


class Listener:
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
                self._warn(Warned("blob-set-aside", f"blob {digest}", "it was corrupt, and lies aside now"))
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
        lines += [f"kept an edit of {printable_line(each.path)}: {printable_line(each.kept)}" for each in self.edits]
        return lines

    def _warn(self, warning: Warned) -> None:
        with self._lock:
            if warning in self.warnings:
                return
            self.warnings.append(warning)
        if not self._document:
            self._screen.say(warning_line(warning.rule, warning.subject, warning.message))


def _detail(event: Event) -> list[Line]:
    match event:
        case SourceStarted(source=source):
            return [(Styled("source ", Style.FAINT), printable_line(source), ": looking")]
        case SourceFinished(source=source, error=error):
            return [(Styled("source ", Style.FAINT), printable_line(source), ": done" if error is None else ": failed")]
        case CommandOutput(source=source, text=text):
            printed = (f"  {line}" for line in text.rstrip("\n").split("\n"))
            return [(Styled("source ", Style.FAINT), printable_line(source), ": its command printed"), *printed]
        case _:
            return []
