"""Limits: which of two holds for one file, and what the error for each says."""

from __future__ import annotations

import pytest

from agent_sync.limits import LimitKey, Limits, limit_exceeded


@pytest.mark.parametrize(
    ("limits", "bound"),
    [
        (Limits(max_file_size=5, max_source_size=9), (5, "max_file_size")),
        (Limits(max_file_size=9, max_source_size=5), (5, "max_source_size")),
        (Limits(max_file_size=5, max_source_size=5), (5, "max_file_size")),
    ],
)
def test_a_source_of_one_file_keeps_the_lower_limit(limits: Limits, bound: tuple[int, LimitKey]) -> None:
    assert limits.of_one_file == bound


def test_the_error_names_the_key_that_was_in_force() -> None:
    error = limit_exceeded("max_source_size", subject="source a", check="more than 5 bytes", otherwise="use another")
    assert str(error) == "source a: more than 5 bytes (max_source_size)"
    assert error.remedy == "use another, or raise `max_source_size` under `limits:`"
    assert error.part == ("limits", "max_source_size")
