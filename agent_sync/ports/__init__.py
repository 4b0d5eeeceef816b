"""Every way out of the program, as protocols, and `World`, which holds one of each.

The engine is handed a World and reaches the machine through it alone: `adapters` implements these for real,
`tests/fakes` in memory, and one contract suite per protocol runs against both. Every method names the errors that it
promises.
"""

from __future__ import annotations

from agent_sync.ports.blobs import BlobStore, BlobWriter, Contents
from agent_sync.ports.commands import Command, Finished, Runner
from agent_sync.ports.files import Folder, Kind, NewFile, Stat
from agent_sync.ports.git import GitCommit, GitEntry, GitHost, GitRepository, SignatureChecker, SignedObject
from agent_sync.ports.network import Fetcher
from agent_sync.ports.nix import Nix
from agent_sync.ports.registries import Registries
from agent_sync.ports.time import Cancellation, Clock
from agent_sync.ports.world import World

__all__ = [
    "BlobStore",
    "BlobWriter",
    "Cancellation",
    "Clock",
    "Command",
    "Contents",
    "Fetcher",
    "Finished",
    "Folder",
    "GitCommit",
    "GitEntry",
    "GitHost",
    "GitRepository",
    "Kind",
    "NewFile",
    "Nix",
    "Registries",
    "Runner",
    "SignatureChecker",
    "SignedObject",
    "Stat",
    "World",
]
