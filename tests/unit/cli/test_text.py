"""Text for a terminal: nothing in it acts, columns stand below each other, colours mean something."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_sync.cli.report import Age, Piece, Style, Styled, align, bytes_text, counted, render, width
from agent_sync.documents_out.document import iso_time
from agent_sync.receipt.replay import with_ages
from agent_sync_oci.text import printable, printable_line

ACTING = {"Cc", "Cf", "Cs", "Zl", "Zp"}


@given(st.text(st.characters(codec=None)))
def test_no_character_that_acts_or_hides_gets_through(text: str) -> None:
    through = {each for each in printable(text) if unicodedata.category(each) in ACTING}
    assert through <= {"\t", "\n"}


@given(st.text(st.characters(codec=None)))
def test_a_line_stays_one_line(text: str) -> None:
    assert {each for each in printable_line(text) if unicodedata.category(each) in ACTING} == set()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text\twith a tab\n", "plain text\twith a tab\n"),
        ("naïve 規則 \u00a0\u3000", "naïve 規則 \u00a0\u3000"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x9b31m\x7f\r", "\\x9b31m\\x7f\\x0d"),
        ("user\u202egpj.exe", "user\\u202egpj.exe"),
        ("tag\U000e0041", "tag\\U000e0041"),
        ("\udc80", "\\udc80"),
    ],
)
def test_text_is_shown_as_it_is_unless_it_would_act(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_columns_stand_below_each_other_in_every_alphabet() -> None:
    rows: list[list[Piece]] = [["規則", "x", "end"], ["a", Styled("long", Style.STRONG), "end"], ["", "\x1b", "end"]]
    lines = [render(line, color=False) for line in align(rows)]
    assert lines == ["規則  x     end", "a     long  end", "      \\x1b  end"]
    assert len({width(line.removesuffix("end")) for line in lines}) == 1


def test_a_table_without_rows_is_empty() -> None:
    assert list(align([])) == []


def test_a_mark_over_a_letter_takes_no_column() -> None:
    assert width("e\u0301") == 1


def test_only_our_own_escapes_are_written() -> None:
    line = (Styled("\x1b[5mtext", Style.ERROR), " \x1b[0m")
    assert render(line, color=True) == "\x1b[1;31m\\x1b[5mtext\x1b[0m \\x1b[0m"
    assert render(line, color=False) == "\\x1b[5mtext \\x1b[0m"


def test_what_is_empty_has_no_colour() -> None:
    assert render((Styled("", Style.ERROR),), color=True) == ""


@pytest.mark.parametrize(("number", "text"), [(0, "0 files"), (1, "1 file"), (2, "2 files")])
def test_things_are_counted_in_words(number: int, text: str) -> None:
    assert counted(number, "file") == text


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (2_500_000, "2.5 MB"), (7 * 10**15, "7000.0 TB")]
)
def test_bytes_have_decimal_units(size: int, text: str) -> None:
    assert bytes_text(size) == text


@pytest.mark.parametrize(
    ("when_s", "text"), [(0.0, "1970-01-01T00:00:00Z"), (-5.0, "1970-01-01T00:00:00Z"), (1e18, "9999-12-31T23:59:59Z")]
)
def test_times_are_in_utc_whatever_the_clock_says(when_s: float, text: str) -> None:
    assert iso_time(when_s) == text


@pytest.mark.parametrize(
    ("seconds", "age"),
    [(-5, "just now"), (59, "just now"), (60, "1 minute ago"), (7_199, "1 hour ago"), (172_800, "2 days ago")],
)
def test_an_age_is_told_by_its_largest_unit(seconds: float, age: str) -> None:
    line = render(("last sync: ", Age(1_000_000)), color=True)
    assert with_ages(f"{line}\n", 1_000_000 + seconds) == f"last sync: {age}\n"


def test_foreign_text_cannot_pass_for_an_age() -> None:
    assert with_ages(render("a\x0042\0", color=False), 50) == "a\\x0042\\x00"
