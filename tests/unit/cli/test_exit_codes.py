"""Exit codes stand on the errors: every error has one, and it is the one that the documentation promises."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

import pytest

import agent_sync
from agent_sync import errors
from agent_sync.cli.run import InternalError
from agent_sync.errors import AgentSyncError, LockInvalid, NetworkError, PartialFailure, UnsafePath

PROMISED = {
    errors.UsageError: 2,
    errors.InvalidReference: 2,
    errors.UnusableKey: 2,
    errors.ConfigInvalid: 3,
    errors.UnknownTool: 3,
    errors.LockMissing: 4,
    errors.LockStale: 4,
    errors.LockInvalid: 4,
    errors.DigestMismatch: 5,
    errors.BlobCorrupt: 5,
    errors.Untrusted: 6,
    errors.InvalidSignature: 6,
    errors.UnsafePath: 7,
    errors.NetworkError: 8,
    errors.RegistryError: 8,
    errors.NotFound: 8,
    errors.SigningServiceError: 8,
    errors.BytesUnavailable: 9,
    errors.AmbiguousOutput: 10,
    errors.TransformFailed: 11,
    errors.MissingVariable: 11,
    errors.ProjectBusy: 12,
    errors.LimitExceeded: 13,
    errors.RollbackIncomplete: 15,
    errors.ContentRefused: 16,
    errors.FileSystemError: 17,
    errors.CrossDeviceLink: 17,
    errors.MovedMeanwhile: 19,
    errors.Cancelled: 130,
}

INTERNAL = 70


def every_error() -> list[type[AgentSyncError]]:
    """Every kind of error that any module of the package defines."""
    for module in pkgutil.walk_packages(agent_sync.__path__, "agent_sync."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    return list(_below(AgentSyncError))


def _below(error: type[AgentSyncError]) -> Iterator[type[AgentSyncError]]:
    for child in error.__subclasses__():
        yield child
        yield from _below(child)


def an_error(kind: type[AgentSyncError]) -> AgentSyncError:
    """One of this kind, however it is made."""
    made = kind.__new__(kind)
    AgentSyncError.__init__(made, subject="x", check="y")
    return made


def test_every_error_has_an_exit_code_but_the_fault_of_ours() -> None:
    ours = [kind for kind in every_error() if kind.__module__.startswith(("agent_sync.", "agent_sync_oci."))]
    assert errors.LockMissing in ours
    plain = [kind for kind in ours if not issubclass(kind, PartialFailure)]
    assert [kind.__name__ for kind in plain if an_error(kind).exit_code == INTERNAL] == [InternalError.__name__]


@pytest.mark.parametrize("kind", PROMISED, ids=lambda kind: kind.__name__)
def test_the_code_is_the_promised_one(kind: type[AgentSyncError]) -> None:
    assert an_error(kind).exit_code == PROMISED[kind]


def test_no_two_families_have_one_code_or_one_rule() -> None:
    families = [kind for kind in every_error() if "exit_code" in vars(kind)]
    rules = [kind.rule for kind in every_error() if "rule" in vars(kind)]
    assert len({kind.exit_code for kind in families}) == len(families)
    assert len(set(rules)) == len(rules)
    assert all(kind.__bases__ == (AgentSyncError,) for kind in families)


def failures(*kinds: type[AgentSyncError]) -> dict[str, AgentSyncError]:
    return {f"source-{number}": an_error(kind) for number, kind in enumerate(kinds)}


def test_if_all_fail_for_one_reason_the_code_is_that_reasons() -> None:
    assert PartialFailure(failures(NetworkError, NetworkError), succeeded=0).exit_code == 8


@pytest.mark.parametrize(
    ("kinds", "succeeded"), [((NetworkError, UnsafePath), 0), ((NetworkError,), 1), ((LockInvalid, UnsafePath), 3)]
)
def test_if_some_succeed_or_reasons_differ_the_code_is_14(
    kinds: tuple[type[AgentSyncError], ...], succeeded: int
) -> None:
    assert PartialFailure(failures(*kinds), succeeded=succeeded).exit_code == 14
