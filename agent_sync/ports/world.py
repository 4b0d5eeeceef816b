"""One of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from agent_sync.events import Observer, ignore
from agent_sync.ports.blobs import BlobStore
from agent_sync.ports.commands import Runner
from agent_sync.ports.files import Folder
from agent_sync.ports.git import GitHost, SignatureChecker
from agent_sync.ports.network import Fetcher
from agent_sync.ports.nix import Nix
from agent_sync.ports.registries import Registries
from agent_sync.ports.time import Cancellation, Clock


@dataclass(frozen=True)
class World:
    """One of each port: all that the engine can reach.

    `project` is the project's root. `at` gives the folder at an absolute path, for local sources that may lie outside.
    `read_file` gives the bytes of a configuration file anywhere on the machine, through links, and None if there is
    none; FileFault if it cannot be read.
    """

    project: Folder
    store: BlobStore
    git: GitHost
    fetcher: Fetcher
    registries: Registries
    runner: Runner
    signatures: SignatureChecker
    nix: Nix
    clock: Clock
    at: Callable[[str], Folder]
    read_file: Callable[[str], bytes | None]
    observer: Observer = ignore
    cancellation: Cancellation = field(default_factory=Cancellation)
    offline: bool = False
