"""Every way out of the program, as protocols, and `World`, which holds one of each.

The engine is given a World and reaches the machine through it alone: `adapters` implements these for real,
`tests/fakes` in memory, and one contract suite per protocol runs against both. Every method names the errors that it
promises.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field

from agent_sync.events import AuditObserver, Observer, ignore
from agent_sync.ports.blobs import BlobStore, BlobWriter, Contents, LockRoots, RecordStore, Scratch
from agent_sync.ports.files import AppliedState, Directory, Kind, NewFile, Stat
from agent_sync.ports.git import GitCommit, GitEntry, GitHost, GitRepository, SignatureChecker, SignedObject
from agent_sync.ports.machine import (
    Cancellation,
    Clock,
    Command,
    Fetcher,
    Finished,
    Nix,
    Registries,
    Runner,
)
from agent_sync_oci.records import record


@record
class World:
    """One of each port: all that the engine can reach.

    `project` is the project's root. `store`, `roots`, `records` and `scratch` are the user's cache. `at` opens the
    directory at an absolute path, for local sources that may be outside. `read_file` returns the bytes of a
    configuration file anywhere on the machine, through links, and None if there is none; it raises FileSystemError if
    the file cannot be read. `actor` names whoever runs the verbs, and `new_run` gives each run of a verb its id: both
    are in every record that `audit` hears.
    """

    project: Directory
    store: BlobStore
    roots: LockRoots
    records: RecordStore
    scratch: Scratch
    git: GitHost
    fetcher: Fetcher
    registries: Registries
    runner: Runner
    signatures: SignatureChecker
    nix: Nix
    clock: Clock
    at: Callable[[str], Directory]
    read_file: Callable[[str], bytes | None]
    observer: Observer = ignore
    audit: AuditObserver | None = None
    actor: str = "unknown"
    new_run: Callable[[], str] = lambda: "0"
    cancellation: Cancellation = field(default_factory=Cancellation)
    offline: bool = False


__all__ = [
    "AppliedState",
    "BlobStore",
    "BlobWriter",
    "Cancellation",
    "Clock",
    "Command",
    "Contents",
    "Directory",
    "Fetcher",
    "Finished",
    "GitCommit",
    "GitEntry",
    "GitHost",
    "GitRepository",
    "Kind",
    "LockRoots",
    "NewFile",
    "Nix",
    "RecordStore",
    "Registries",
    "Runner",
    "Scratch",
    "SignatureChecker",
    "SignedObject",
    "Stat",
    "World",
]
