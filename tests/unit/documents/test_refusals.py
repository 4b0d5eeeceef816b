"""What is refused, where, in which words, and with which way out; by the parser in C and by the one in Python."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from agent_sync.documents import read_document
from agent_sync.documents.reader import decode
from agent_sync.documents.strict import parse
from agent_sync.errors import AgentSyncError, ConfigInvalid, LockInvalid

_ONES = "1" * 64

_REFUSED: dict[str, tuple[str | bytes, str, str, str]] = {
    # what it is: (text, line:column, part of the check, part of the remedy)
    "nothing": ("", "1:1", "is empty", "version: 1"),
    "comments alone": ("# a\n", "1:1", "is empty", "version: 1"),
    "a list": ("- a\n", "1:1", "not a mapping", "restore the file from version control"),
    "a word": ("\n  a\n", "2:3", "not a mapping", "restore the file from version control"),
    "a duplicate key": ("a: 1\nb: 2\n'a': 3\n", "3:1", "`a` is already on line 1", "keep one"),
    "a duplicate key inside": ("x:\n- {}\n- y:\n    a: {b: 1}\n    a: 2\n", "5:5", "already on line 4", "keep one"),
    "a duplicate key in a flow": ("a: {b: 1, 'b': 2}\n", "1:11", "`b` is already on line 1", "keep one"),
    "a python tag": ("a: !!python/object/apply:os.system [x]\n", "1:4", "YAML tags (tag:yaml.org,2002:py", "remove it"),
    "a harmless tag": ("a: !!str 1\n", "1:4", "YAML tags", "remove it"),
    "a tag of its own": ("a:\n  - !x {}\n", "2:5", "YAML tags (!x)", "remove it"),
    "a tag without a name": ("a: ! b\n", "1:4", "YAML tags (!)", "remove it"),
    "a tagged key": ("!x a: b\n", "1:1", "YAML tags (!x)", "remove it"),
    "an anchor": ("a: &x 1\n", "1:4", "YAML anchors (`&x`)", "write the value out"),
    "an anchored list": ("a: &x [1]\n", "1:4", "YAML anchors", "write the value out"),
    "an anchored key": ("&x a: b\n", "1:1", "YAML anchors", "write the value out"),
    "an alias": ("a: 1\nb: *x\n", "2:4", "YAML aliases", "write the value out"),
    "a glob without quotes": ("a: [**/*.png]\n", "1:6", "invalid YAML", "quote"),
    "an alias as a key": ("*x : b\n", "1:1", "YAML aliases", "write the value out"),
    "a merge key": ("a:\n  <<: {b: 1}\n", "2:3", "merge keys", "write the keys out"),
    "a second document": ("a: 1\n---\nb: 1\n", "3:1", "second document", "a file holds one"),
    "a second, empty document": ("a: 1\n--- \n", "3:1", "second document", "a file holds one"),
    "a version directive": ("%YAML 1.1\n---\na: 1\n", "1:1", "directive", "remove the line"),
    "a tag directive": ("%TAG ! tag:x,2000:\n---\na: 1\n", "1:1", "directive", "remove the line"),
    "too many flow levels": (f"a: {'[' * 64}", "1:67", "more than 64 levels deep", "levels"),
    "too many block levels": ("".join(" " * i + "a:\n" for i in range(66)), "65:65", "more than 64 levels", "levels"),
    "a number as a key": ("a:\n  1: b\n", "2:3", "a key must be text", 'put it in quotes: "1"'),
    "a truth as a key": ("true: b\n", "1:1", "a key must be text", 'put it in quotes: "true"'),
    "nothing as a key": ("~: b\n", "1:1", "a key must be text", 'put it in quotes: "~"'),
    "a list as a key": ("? [a]\n: b\n", "1:3", "a key must be text", "use text"),
    "a disputed number as a key": ("010: b\n", "1:1", "`010` without quotes", 'quotes: "010"'),
    "an octal number": ("a: 010\n", "1:4", "`010` without quotes is one number to some", 'quotes: "010"'),
    "a number with an exponent": ("a: [b, 1e5]\n", "1:8", "`1e5` without quotes is one", 'quotes: "1e5"'),
    "a number that is not finite": ("a: .inf\n", "1:4", "`.inf` without quotes", "quotes"),
    "a digest of digits": (f"sha256: {_ONES}\n", "1:9", f"`{_ONES}` without quotes is no digest", f'quotes: "{_ONES}"'),
    "a digest like a float": (f"a:\n  sha256: 1e5{_ONES[3:]}\n", "2:11", "is no digest but a number", "quotes: "),
    "a commit of digits": (f"commit: {_ONES[:40]}\n", "1:9", "is no digest but a number", "quotes: "),
    "five thousand digits": (f"a: {'1' * 5000}\n", "1:4", "is no digest but a number", "put it in quotes"),
    "a tab as indentation": ("a:\n\tb: 1\n", "2:1", "tabs are not allowed here", "indent with spaces"),
    "a tab after a colon": ("a:\tb\n", "1:3", "tabs are not allowed here", "indent with spaces"),
    "NUL": ("a: \x00\n", "1:4", r"hidden character \x00", r"write it as \x00"),
    "a control character": ("a: \x1b[0m\n", "1:4", r"hidden character \x1b", "in double quotes"),
    "DEL": ("a: \x7f\n", "1:4", r"\x7f", "in double quotes"),
    "a line break of YAML 1.1": ("a: b\x85c: d\n", "1:5", r"\x85", "in double quotes"),
    "a line separator": ("a: '\u2028'\n", "1:5", r"\u2028", "in double quotes"),
    "text that runs backwards": ("a: b # \u202e x\n", "1:8", r"\u202e", "remove it"),
    "an isolated direction": ("a: \u2066b\n", "1:4", r"\u2066", "remove it"),
    "a carriage return alone": ("a: b\rc: d\n", "1:5", "carriage return", "line feed"),
    "a byte order mark": ("\ufeffa: 1\n", "1:1", "byte order mark", "without one"),
    "a byte order mark inside": ("a: 1\n\ufeffb: 1\n", "2:1", r"\ufeff", "remove it"),
    "half a surrogate pair, escaped": ('a: "\\ud800"\n', "1:", "", ""),
    "an escape beyond Unicode": ('a: "\\UFFFFFFFF"\n', "1:", "invalid YAML", "backslash"),
    "an escape that is none": ('a: "\\q"\n', "1:5", "invalid YAML: found unknown escape", "backslash"),
    "UTF-16": ("a: 1\n".encode("utf-16"), "1:1", "0xff is not UTF-8", "save the file as UTF-8"),
    "Latin-1": ("a: 1\nb: café\n".encode("latin-1"), "2:7", "0xe9 is not UTF-8", "save the file as UTF-8"),
    "an encoded surrogate": (b"a: \xed\xa0\x80\n", "1:4", "0xed is not UTF-8", "save the file as UTF-8"),
    "half a character": (b"a: \xc3", "1:4", "0xc3 is not UTF-8", "save the file as UTF-8"),
    "a merge": ("a: 1\n<<<<<<< HEAD\nb: 1\n=======\nb: 2\n>>>>>>> x\n", "2:1", "a merge conflict", "resolve the merge"),
    "what is left of a merge": ("a: 1\nb: 1\n=======\n", "3:1", "a merge conflict", "resolve the merge"),
    "the end of a merge": ("a: 1\n>>>>>>> feature\r\n", "2:1", "a merge conflict", "resolve the merge"),
    "an open quote": ("a: 1\nb: 'x\nc: 1\n", "2:4", "invalid YAML", "close the quote"),
    "an open bracket": ("a: [1, 2\nb: 3\n", "2:2", "invalid YAML", "bracket"),
    "a colon too many": ("a: b: c\n", "1:5", "invalid YAML: mapping values", "in quotes"),
    "a sign that means nothing": ("a: @b\n", "1:4", "invalid YAML", "in quotes"),
    "indentation that means nothing": ("a:\n  b: 1\n c: 1\n", "3:2", "invalid YAML", "indentation"),
}  # fmt: skip


def test_a_directive_that_nobody_knows_is_refused() -> None:
    """By the parser in C; the one in Python passes over it, as YAML 1.1 asks for."""
    with pytest.raises(LockInvalid, match="unknown directive"):
        read_document(b"%FOO\n---\na: 1\n", file="f", error=LockInvalid, max_bytes=100)


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


@pytest.mark.parametrize("what", _REFUSED)
def test_it_is_refused_with_its_place_and_a_way_out(what: str) -> None:
    text, place, check, remedy = _REFUSED[what]
    with pytest.raises(LockInvalid) as refused:
        read_document(_bytes(text), file="agent-sync.lock", error=LockInvalid, max_bytes=10_000)
    error = refused.value
    assert str(error.place).startswith(f"agent-sync.lock:{place}")
    assert error.subject == "agent-sync.lock"
    assert check in error.check
    assert remedy in str(error.remedy)
    assert (error.check + str(error.remedy)).isprintable()


@pytest.mark.parametrize("what", _REFUSED)
def test_the_parser_in_python_refuses_it_too(what: str) -> None:
    content = _bytes(_REFUSED[what][0])
    with pytest.raises(LockInvalid) as refused:
        parse(decode(content, file="f", error=LockInvalid, max_bytes=10_000), parser=yaml.SafeLoader)
    assert refused.value.place is not None
    assert refused.value.remedy


@pytest.mark.parametrize("error", [ConfigInvalid, LockInvalid])
def test_the_error_is_the_one_that_was_asked_for(error: type[AgentSyncError]) -> None:
    with pytest.raises(error):
        read_document(b"a: 1\na: 2\n", file="f", error=error, max_bytes=100)


def test_a_configuration_that_is_not_a_mapping_is_told_how_one_begins() -> None:
    with pytest.raises(ConfigInvalid) as refused:
        read_document(b"- a\n", file="f", error=ConfigInvalid, max_bytes=100)
    assert refused.value.remedy == "write lines such as `version: 1`"


def test_only_a_lock_can_be_written_again_after_a_merge() -> None:
    remedies: list[Any] = []
    for error in (ConfigInvalid, LockInvalid):
        with pytest.raises(error) as refused:
            read_document(b"<<<<<<< HEAD\n", file="f", error=error, max_bytes=100)
        remedies.append(refused.value.remedy)
    assert remedies == [
        "resolve the merge",
        "resolve the merge, or keep your side: git checkout --ours agent-sync.lock; then: agent-sync update",
    ]


@pytest.mark.parametrize(
    ("line", "secret"),
    [
        ("repo: https://user:pass@host/x", "pass"),
        ("repo: https://ghp_token@host/x", "ghp_token"),
        ("repo: ssh://git:pass@host/x", "pass"),
        ("url: 'https://host/x?sig=token'", "token"),
    ],
)
def test_a_secret_in_the_line_is_not_shown(line: str, secret: str) -> None:
    with pytest.raises(ConfigInvalid) as refused:
        read_document(f"a: 1\n{line}\n{line}\n".encode(), file="f", error=ConfigInvalid, max_bytes=1000)
    place = refused.value.place
    assert place is not None
    assert secret not in place.text
    assert "*" in place.text
    assert len(place.text) == len(line)


def test_a_user_that_is_no_secret_is_shown() -> None:
    with pytest.raises(ConfigInvalid) as refused:
        read_document(b"a: 1\na: ssh://git@host/x\n", file="f", error=ConfigInvalid, max_bytes=1000)
    assert refused.value.place is not None
    assert refused.value.place.text == "a: ssh://git@host/x"
