"""Run under strace by `injected.py`: forks one process for each moment and has it work until something happens to it.

strace counts the calls of each process for itself and injects at one fixed number. So a process makes calls that fail
without it, as many as are needed for that number to fall on the call of its work that is meant to fail.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from agent_sync import open_project
from agent_sync.adapters.directory import DiskDirectory
from agent_sync.adapters.files import sync_file_system
from agent_sync.errors import AgentSyncError, FileSystemError, RollbackIncomplete
from agent_sync_oci.registry.archive import ArchiveRegistry
from agent_sync_oci.registry.layout import LayoutRegistry
from agent_sync_oci.registry.protocol import Registry
from agent_sync_oci.transfer.referrers import attach
from tests.builders.artifacts import a_signature, put_artifact
from tests.builders.checkouts import AFTER, BEFORE, ACheckout
from tests.builders.trees import a_tree

DONE, FAULT, INCOMPLETE, ELSE = 0, 10, 15, 70
MISSING = "missing-file"
WARM = "warm"
UNUSED = 1_000_000  # a descriptor that nobody has


def failing_calls(here: int) -> dict[str, Callable[[], object]]:
    """For each system call a way to make it that changes nothing and fails."""
    return {
        "openat": lambda: os.open(MISSING, os.O_RDONLY, dir_fd=here),
        "write": lambda: os.write(UNUSED, b""),
        "close": lambda: os.close(UNUSED),
        "renameat": lambda: os.rename(MISSING, MISSING, src_dir_fd=here, dst_dir_fd=here),
        "linkat": lambda: os.link(MISSING, MISSING, src_dir_fd=here, dst_dir_fd=here),
        "unlinkat": lambda: os.unlink(MISSING, dir_fd=here),
        "mkdirat": lambda: os.mkdir(f"{MISSING}/x", dir_fd=here),
        "newfstatat": lambda: os.stat(MISSING, dir_fd=here),
        "fsync": lambda: os.fsync(UNUSED),
        "syncfs": lambda: sync_file_system(UNUSED),
        "fchmod": lambda: os.fchmod(UNUSED, 0),
        "read": lambda: os.read(UNUSED, 1),
        "flock": lambda: fcntl.flock(UNUSED, fcntl.LOCK_UN),
        "pwrite64": lambda: os.pwrite(UNUSED, b"", 0),
        "pread64": lambda: os.pread(UNUSED, 1, 0),
    }


def burn(call: Callable[[], object], times: int) -> None:
    for _ in range(times):
        try:
            call()
        except OSError:
            continue
        raise AssertionError("this call was to fail")


def work(kind: str, directory: str) -> int:
    try:
        if kind == "verb":
            open_project(directory, environment={"HOME": f"{directory}-home"}).sync(prune=True)
        elif kind == "sync":
            ACheckout(DiskDirectory(directory), written=a_tree(BEFORE)).sync(AFTER)
        elif kind == "layout":
            put_a_signed_artifact(LayoutRegistry(f"{directory}/layout"))
        elif kind == "archive":
            put_a_signed_artifact(ArchiveRegistry(f"{directory}/it.tar"))
        else:
            ACheckout(DiskDirectory(directory), written=a_tree(BEFORE)).recover()
    except RollbackIncomplete:
        return INCOMPLETE
    except FileSystemError:
        return FAULT
    except AgentSyncError:
        return ELSE
    return DONE


def put_a_signed_artifact(registry: Registry) -> None:
    """At the tag `v2`, which moves last."""
    with registry:
        artifact = put_artifact(registry, b"two" * 100)
        attach(registry, a_signature(registry, artifact))
        registry.put_manifest(artifact, tag="v2")


def one(kind: str, directory: str, syscall: str, burns: int) -> int:
    here = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    burn(failing_calls(here)[syscall], burns)
    return work(kind, directory)


def main(arguments: str) -> None:
    statuses = []
    for kind, directory, syscall, burns in json.loads(Path(arguments).read_text()):
        if syscall == WARM:  # what is imported here need not be imported, call by call, in each child
            work(kind, directory)
            continue
        child = os.fork()
        if child == 0:
            os._exit(one(kind, directory, syscall, burns))
        statuses.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    Path(f"{arguments}.out").write_text(json.dumps(statuses))


if __name__ == "__main__":
    main(sys.argv[1])
