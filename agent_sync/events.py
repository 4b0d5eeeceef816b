"""Two streams of events: progress, which a person watches, and audit, which says who decided what.

Nothing below the command line prints. A verb announces progress to an `Observer`, which shows, counts, or drops it; a
progress event may be lost. It announces each decision that changes something, or refuses to, to an `AuditObserver`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from agent_sync.errors import Place

# -- Progress ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Warned:
    """A condition that is odd but no error. `rule` is stable; `message` is one sentence for a person.

    A warning about the declaration of a `source` is given its `place` where the configuration is known; `part` is the
    path inside the declaration.
    """

    rule: str
    subject: str
    message: str
    place: Place | None = None
    source: str | None = None
    part: tuple[str | int, ...] = ()


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
    """An output file was created or replaced."""

    path: str


@dataclass(frozen=True, slots=True)
class FileRemoved:
    """An output file was removed."""

    path: str


@dataclass(frozen=True, slots=True)
class EditKept:
    """A local edit was replaced. Its bytes are at `kept`, and `restore` puts them back."""

    path: str
    kept: str


@dataclass(frozen=True, slots=True)
class RolledBack:
    """A sync failed or was interrupted, and the files at `paths` are again what they were before it (spec §9.1)."""

    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BlobSetAside:
    """A corrupt blob was moved out of the cache, so that it can be fetched again."""

    digest: str


@dataclass(frozen=True, slots=True)
class CommandOutput:
    """The text that a custom command printed."""

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
    """Hear progress events, in the order in which they happened within one thread.

    An observer must be quick and must not raise. It may be called from any thread.
    """

    def __call__(self, event: Event, /) -> None: ...


def ignore(event: Event, /) -> None:
    """Drop the event."""


# -- Audit -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LockWritten:
    """A lock file is written. Digests are `sha256:HEX`; None stands for no file."""

    path: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class OutputsApplied:
    """Output files are written and removed; `lock` is the digest of the lock that they then match."""

    lock: str
    written: tuple[str, ...]
    removed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EditRestored:
    """A kept local edit is put back at `path`."""

    path: str


@dataclass(frozen=True, slots=True)
class BundleAccepted:
    """A bundle passed every policy, and its lock may be used here. `signed`: at least one signature was verified."""

    name: str
    digest: str
    signed: bool


@dataclass(frozen=True, slots=True)
class BundlePushed:
    """A bundle is at `reference`, signed if that was asked for."""

    name: str
    digest: str
    reference: str
    signed: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """A gate or a policy refused the subject; `rule` and `check` are those of the error that is raised."""

    subject: str
    rule: str
    check: str


@dataclass(frozen=True, slots=True)
class Undone:
    """What the same run announced before did not come about; `rule` is the error's that prevented it."""

    rule: str


AuditEvent = LockWritten | OutputsApplied | EditRestored | BundleAccepted | BundlePushed | Refused | Undone


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """An audit event with its context: the id of the run, who started it, and the verb that it ran."""

    run: str
    actor: str
    operation: str
    event: AuditEvent


class AuditObserver(Protocol):
    """Hear every audit record.

    A change is announced right before it is committed, and `Undone` follows if the commit fails: so the log has
    whatever happened. An observer that raises prevents the change.
    """

    def __call__(self, record: AuditRecord, /) -> None: ...
