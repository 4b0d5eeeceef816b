"""What happened, as typed events: a verb announces them, an `Observer` shows, counts or records them.

Nothing below the command line prints. An observer must be quick and must not raise; it may be called from any thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Warned:
    """Something is odd but not wrong. `rule` is stable; `message` is one sentence for a person."""

    rule: str
    subject: str
    message: str


@dataclass(frozen=True, slots=True)
class SourceStarted:
    """A source is being resolved or fetched."""

    source: str


@dataclass(frozen=True, slots=True)
class SourceFinished:
    """A source is resolved (`error` is None) or failed."""

    source: str
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Progressed:
    """`done` of `total` steps of `work` are finished; `total` is None while unknown."""

    work: str
    done: int
    total: int | None = None


@dataclass(frozen=True, slots=True)
class FileWritten:
    """A target was created or replaced."""

    path: str


@dataclass(frozen=True, slots=True)
class FileRemoved:
    """A target was removed."""

    path: str


@dataclass(frozen=True, slots=True)
class EditKept:
    """A local edit was replaced; its bytes are in `kept`, and `restore` brings them back."""

    path: str
    kept: str


@dataclass(frozen=True, slots=True)
class RolledBack:
    """A sync failed or was cut short; these targets had been changed and are as they were before (spec §9.1)."""

    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BlobSetAside:
    """A corrupt entry of the store was moved out of the way."""

    digest: str


@dataclass(frozen=True, slots=True)
class CommandOutput:
    """What a custom command printed."""

    source: str
    text: str


Event = (
    Warned
    | SourceStarted
    | SourceFinished
    | Progressed
    | FileWritten
    | FileRemoved
    | EditKept
    | RolledBack
    | BlobSetAside
    | CommandOutput
)


class Observer(Protocol):
    """Hears every event, in the order in which things happened within one thread."""

    def __call__(self, event: Event, /) -> None: ...


def ignore(event: Event, /) -> None:
    """The observer that does nothing."""
