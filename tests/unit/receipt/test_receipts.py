"""A receipt is read back as it was written, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_sync.receipt.facts import MAGIC, Receipt, Table, checksum, from_bytes, to_bytes
from tests.builders.receipts import a_receipt, notes_of


@pytest.fixture
def receipt(tmp_path: Path) -> Receipt:
    files = [tmp_path / name for name in ("a", "b", "ü", "c\udcff")]
    for path in files:
        path.write_text(path.name.encode("utf-8", "surrogateescape").hex())
    recorder = notes_of(
        started_ns=7,
        hashed=files[:1],
        trusted=files[1:3],
        seen=[files[3], tmp_path / "missing"],
        followed=[files[0], tmp_path / "missing"],
        directories=[tmp_path],
        roots=[tmp_path],
        listings=[tmp_path],
    )
    recorder.environment({"HOME": "/home"}).get("HOME")
    recorder.environment({}).get("XDG_CACHE_HOME")
    recorder.say(1, b"one\n")
    recorder.say(2, b"")
    recorder.say(2, b"two\n")
    return a_receipt(recorder, key="key", created_s=5)


def _rows(table: Table) -> list[object]:
    return [*(table.digest_rows() if table.digests else table.rows())]


def test_it_is_read_as_it_was_written(receipt: Receipt) -> None:
    again = from_bytes(to_bytes(receipt))
    assert (again.key, again.created_s, again.started_ns) == ("key", 5, 7)
    assert again.output == receipt.output == [(1, b"one\n"), (2, b"two\n")]
    assert again.facts.environment == receipt.facts.environment
    assert again.facts.environment.keys() == {"HOME", "XDG_CACHE_HOME"}
    assert again.facts.youngest_ns == receipt.facts.youngest_ns > 0
    written = [_rows(table) for table in receipt.facts.tables()]
    assert [_rows(table) for table in again.facts.tables()] == written
    assert sum(map(len, written)) == 10


def test_a_receipt_of_nothing_is_read_too() -> None:
    again = from_bytes(to_bytes(a_receipt(notes_of())))
    assert [_rows(table) for table in again.facts.tables()] == [[]] * 11
    assert (again.output, again.facts.environment) == ([], {})


def test_one_that_was_cut_short_is_refused_wherever_it_was_cut(receipt: Receipt) -> None:
    content = to_bytes(receipt)
    for length in range(len(content)):
        with pytest.raises(ValueError, match="not a whole receipt"):
            from_bytes(content[:length])


def test_one_with_a_changed_byte_is_refused_whichever_it_is(receipt: Receipt) -> None:
    content = to_bytes(receipt)
    for at in range(len(content)):
        changed = bytearray(content)
        changed[at] ^= 1
        with pytest.raises(ValueError, match="not a whole receipt"):
            from_bytes(bytes(changed))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"x",
        (3).to_bytes(8, "little") + b"abc",
        b"".join((1).to_bytes(8, "little") + b"x" for _ in range(50)),
        (1 << 63).to_bytes(8, "little") * 50,
    ],
)
def test_a_body_that_no_receipt_has_is_refused_though_its_checksum_is_right(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # whatever it says: it is caught by its family
        from_bytes(MAGIC + checksum(body) + body)


def test_tables_that_do_not_fit_together_are_refused(receipt: Receipt) -> None:
    receipt.facts.followed = Table(b"/a", b"short")
    with pytest.raises(ValueError, match="do not fit together"):
        from_bytes(to_bytes(receipt))


def test_the_value_of_a_variable_is_not_in_it() -> None:
    recorder = notes_of()
    recorder.environment({"TOKEN": "a secret that nobody is to find"}).get("TOKEN")
    assert b"a secret" not in to_bytes(a_receipt(recorder))
