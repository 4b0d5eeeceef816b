"""What one word means, and how one value is written."""

from __future__ import annotations

import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from agent_sync.documents.scalars import AmbiguousScalar, Scalar, format_key, format_keys, format_scalar, parse_scalar
from tests.builders.documents import AWKWARD
from tests.unit.documents import nix_reader


@pytest.mark.parametrize("word", ["", "~", "null", "Null", "NULL"])
def test_nothing_is_null_in_each_spelling_of_yaml_1_2(word: str) -> None:
    assert parse_scalar(word) is None


@pytest.mark.parametrize(("word", "meaning"), [("true", True), ("True", True), ("FALSE", False), ("false", False)])
def test_only_true_and_false_are_booleans(word: str, meaning: bool) -> None:
    assert parse_scalar(word) is meaning


@pytest.mark.parametrize(
    "word",
    [
        *("yes", "no", "on", "off", "y", "n", "Yes", "OFF", "nULL", "tRUE"),
        *("2024-01-01", "12:30", "1:30:00", "190:20:30.15"),
        *(
            "=",
            "<<",
            "1.2.3",
            "v1",
            "-",
            "+",
            ".",
            "..",
            "._",
            "0x",
            "0b12ab",
            "1e",
            "e5",
            "123abc",
            "456def...",
            "5.x",
        ),
    ],
)
def test_what_yaml_1_2_calls_text_is_text(word: str) -> None:
    assert parse_scalar(word) == word


@pytest.mark.parametrize(
    ("word", "meaning"),
    [
        ("0", 0),
        ("-7", -7),
        ("+7", 7),
        ("20480", 20480),
        (str(2**63 - 1), 2**63 - 1),
        (str(-(2**63)), -(2**63)),
        ("1.5", 1.5),
        ("-0.5", -0.5),
        ("1.", 1.0),
        (".5", 0.5),
        ("1.0e+16", 1e16),
        ("2.5E-3", 0.0025),
    ],
)
def test_a_number_that_all_read_alike_is_a_number(word: str, meaning: float) -> None:
    value = parse_scalar(word)
    assert (value, type(value)) == (meaning, type(meaning))


@pytest.mark.parametrize(
    "word",
    [
        *(
            "010",
            "-010",
            "0o17",
            "0x1F",
            "0b101",
            "1_000",
            "1_0.5",
            "1e5",
            "1e+5",
            "12E03",
            "+.5",
            ".inf",
            "-.Inf",
            ".NaN",
        ),
        *(str(2**63), "1" * 40, "0" * 64, "1" * 5000, "1e5" + "0" * 61, "1.0e+999", "9" * 400 + ".0"),
    ],
)
def test_a_number_that_is_not_the_same_to_all_is_refused(word: str) -> None:
    with pytest.raises(AmbiguousScalar):
        parse_scalar(word)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((None, "null"), (True, "true"), (False, "false"), (0, "0"), (-5, "-5")),
        *((1.5, "1.5"), (1e16, "1.0e+16"), (1e-07, "1.0e-07")),
        *(("a8bcdef", "a8bcdef"), ("core/", "core/"), ("./agents/", "./agents/"), (".cursor/rules/", ".cursor/rules/")),
        *(
            ("https://a.b/c.git", "https://a.b/c.git"),
            ("git@host:o/r.git", "git@host:o/r.git"),
            ("sha256:0b", "sha256:0b"),
        ),
        *(("3f8c", '"3f8c"'), ("", '""'), ("off", '"off"'), ("a b", '"a b"'), ("a:", '"a:"'), (".infra/", '".infra/"')),
        *(("é", '"é"'), ("a\tb", r'"a\tb"'), ("\x1b", r'"\u001b"'), ("a" * 513, f'"{"a" * 513}"')),
        ("\x7f\u2028\ufeff\u202e", r'"\u007f\u2028\ufeff\u202e"'),
    ],
)
def test_a_value_is_written_like_this(value: Scalar, text: str) -> None:
    assert format_scalar(value) == text


@pytest.mark.parametrize(("key", "text"), [("a/b.md", "a/b.md"), ("a:b", '"a:b"'), ("1.md", '"1.md"'), ("No", '"No"')])
def test_a_key_is_written_like_this(key: str, text: str) -> None:
    assert format_key(key) == text


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, 2**63, -(2**63) - 1, "\ud800"])
def test_what_no_file_can_hold_is_refused(value: Scalar) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # each has its own words
        format_scalar(value)


@pytest.mark.parametrize("text", AWKWARD)
def test_awkward_text_is_the_same_text_to_every_reader(text: str) -> None:
    word, key = format_scalar(text), format_key(text)
    assert yaml.load(word, yaml.CSafeLoader) == yaml.safe_load(word) == nix_reader.value_of(word) == text
    assert nix_reader.text_of_key(key) == text


@given(st.text())
def test_any_text_is_the_same_text_to_every_reader(text: str) -> None:
    word, key = format_scalar(text), format_key(text)
    assert yaml.load(word, yaml.CSafeLoader) == yaml.safe_load(word) == nix_reader.value_of(word) == text
    assert nix_reader.text_of_key(key) == text


@given(st.text(alphabet="yYnNoOeEsSfFtTrRuUlLaAiI.019-_:~xb+", max_size=6))
def test_any_short_word_is_written_so_that_it_stays_text(text: str) -> None:
    word = format_scalar(text)
    assert yaml.load(word, yaml.CSafeLoader) == yaml.safe_load(word) == nix_reader.value_of(word) == text


@given(st.lists(st.sampled_from(AWKWARD) | st.text(max_size=8), unique=True))
def test_many_keys_are_written_as_each_by_itself(keys: list[str]) -> None:
    assert format_keys(keys) == [format_key(key) for key in keys]


def test_many_long_keys_are_written_as_each_by_itself() -> None:
    """Each on its own: one key that is not plain hides what is said of the others."""
    for key in ("a" * 512, "a" * 513, ".infra/a", "No"):
        assert format_keys(["a/b.md", key]) == ["a/b.md", format_key(key)]


@given(st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False))
def test_any_number_is_read_as_it_was_written(number: float) -> None:
    word = format_scalar(number)
    assert (
        repr(parse_scalar(word))
        == repr(yaml.safe_load(word))
        == repr(yaml.load(word, yaml.CSafeLoader))
        == repr(number)
    )
