"""Two streams of events: progress, which a person watches, and audit, which says who decided what.

Nothing below the command line prints. A verb announces progress to an `Observer`, which shows, counts, or drops it; a
progress event may be lost. It announces each decision that changes something, or refuses to, to an `AuditObserver`.
"""

from __future__ import annotations

from typing import Protocol

from agent_sync.errors import Place
from agent_sync_oci.records import record

# -- Progress ----------------------------------------------------------------------------------------------------------


@record
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


@record
class SourceStarted:
    """A source is being resolved or fetched."""

    source: str


@record
class SourceFinished:
    """A source is resolved (`error` is None) or failed."""

    source: str
    error: str | None = None


@record
class Progressed:
    """`done` of `total` steps of `work` are finished; `total` is None while unknown."""

    work: str
    done: int
    total: int | None = None


@record
class FileWritten:
    """An output file was created or replaced."""

    path: str


@record
class FileRemoved:
    """An output file was removed."""

    path: str


@record
class EditKept:
    """A local edit was replaced. Its bytes are at `kept`, and `restore` puts them back."""

    path: str
    kept: str


@record
class RolledBack:
    """A sync failed or was interrupted, and the files at `paths` are again what they were before it (spec §9.1)."""

    paths: tuple[str, ...]


@record
class BlobSetAside:
    """A corrupt blob was moved out of the cache, so that it can be fetched again."""

    digest: str


@record
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


@record
class LockWritten:
    """A lock file is written. Digests are `sha256:HEX`; None stands for no file."""

    path: str
    before: str | None
    after: str | None


@record
class OutputsApplied:
    """Output files are written and removed; `lock` is the digest of the lock that they then match."""

    lock: str
    written: tuple[str, ...]
    removed: tuple[str, ...]


@record
class EditRestored:
    """A kept local edit is put back at `path`."""

    path: str


@record
class BundleAccepted:
    """A bundle passed every policy, and its lock may be used here. `signed`: at least one signature was verified."""

    name: str
    digest: str
    signed: bool


@record
class BundlePushed:
    """A bundle is at `reference`, signed if that was asked for."""

    name: str
    digest: str
    reference: str
    signed: bool


@record
class Refused:
    """A gate or a policy refused the subject; `rule` and `check` are those of the error that is raised."""

    subject: str
    rule: str
    check: str


@record
class Undone:
    """What the same run announced before did not come about; `rule` is the error's that prevented it."""

    rule: str


AuditEvent = LockWritten | OutputsApplied | EditRestored | BundleAccepted | BundlePushed | Refused | Undone


@record
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
