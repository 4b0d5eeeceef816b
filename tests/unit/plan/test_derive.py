"""Whether the lock was made for what is declared now."""

from __future__ import annotations

import pytest

from agent_sync.errors import LockError, LockMissing, LockStale
from agent_sync.lock import Lock
from agent_sync.plan.derive import refuse_stale, stale_reason
from tests.builders.configs import a_config
from tests.builders.locks import a_lock, a_source

LOCK = a_lock(a_source("a", {"x.md": "1"}))  # declared as ./a


@pytest.mark.parametrize(
    ("declared", "lock", "reason"),
    [
        ("{name: a, type: local, path: ./a}", LOCK, None),
        ("{name: b, type: local, path: ./a}", LOCK, "not in the lock"),
        ("{name: a, type: local, path: ./a}", Lock(), "not in the lock"),
        ("{name: a, type: local, path: ./b}", LOCK, "`path` changed since the source was locked"),
        (
            "{name: a, type: local, path: ./b, exclude: [x.md]}",
            LOCK,
            "`exclude` and `path` changed since the source was locked",
        ),
        ("{name: a, type: local, path: ./a, limits: {max_files: 1}}", LOCK, None),
    ],
)
def test_a_source_is_stale_if_it_is_declared_otherwise_than_it_was_locked(
    declared: str, lock: Lock, reason: str | None
) -> None:
    [source] = a_config(f"sources: [{declared}]").sources
    assert stale_reason(source, lock) == reason


@pytest.mark.parametrize(
    ("declared", "inherited", "family", "remedy"),
    [
        ("{name: b, type: local, path: ./b}", frozenset[str](), LockMissing, "lock it: agent-sync update b"),
        ("{name: a, type: local, path: ./b}", frozenset[str](), LockStale, "lock it: agent-sync update a"),
        ("{name: a, type: local, path: ./b}", frozenset({"a"}), LockStale, "lock it: agent-sync update --inherited"),
    ],
)
def test_the_remedy_locks_the_source_in_its_own_layer(
    declared: str, inherited: frozenset[str], family: type[LockError], remedy: str
) -> None:
    with pytest.raises(family) as refused:
        refuse_stale(a_config(f"sources: [{declared}]"), LOCK, inherited=inherited)
    assert refused.value.remedy == remedy


def test_a_stale_lock_names_the_line_of_what_changed() -> None:
    with pytest.raises(LockStale) as refused:
        refuse_stale(a_config("sources:\n  - {name: a, type: local,\n     path: ./b}"), LOCK)
    assert refused.value.place is not None
    assert (refused.value.place.line, refused.value.place.text.strip()) == (4, "path: ./b}")


def test_what_is_locked_and_no_longer_declared_is_not_stale() -> None:
    refuse_stale(a_config("targets: []"), LOCK)
