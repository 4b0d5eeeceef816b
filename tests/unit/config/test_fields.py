"""Sizes and durations as people write them."""

from __future__ import annotations

import pytest

from agent_sync.config.fields import parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4096", 4096),
        ("7B", 7),
        ("100MB", 100_000_000),
        ("100mb", 100_000_000),
        ("1 GB", 1_000_000_000),
        ("1.5KB", 1500),
        ("1KiB", 1024),
        ("2MiB", 2 * 1024 * 1024),
        ("1GiB", 1024**3),
    ],
)
def test_a_size_is_a_number_of_bytes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "0", "0MB", "-1", "1TB", "MB", "1,5MB", "1e3", "0.1B", "1 0MB", "\uff11MB", "9" * 30]
)
def test_anything_else_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="not a size"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("120s", 120.0), ("2m", 120.0), ("0.5s", 0.5), ("1 m", 60.0), ("2", 2.0), ("2.5", 2.5)]
)
def test_a_duration_is_a_number_of_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "0s", "-1s", "1h", "2M", "s", "1ms"])
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration(text)
