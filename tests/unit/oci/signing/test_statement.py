"""Statements: what is signed."""

from __future__ import annotations

import json

import pytest

from agent_sync_oci.errors import InvalidSignature, LimitExceeded
from agent_sync_oci.signing.statement import COSIGN_SIGN, Statement, Subject, read_statement, statement_bytes

_SHA256 = "ab" * 32
_GOOD = {
    "_type": "https://in-toto.io/Statement/v1",
    "subject": [{"name": "a", "digest": {"sha256": _SHA256}}],
    "predicateType": "https://example.com/p",
    "predicate": {"x": 1},
}


def test_a_statement_is_read_as_it_was_written() -> None:
    statement = Statement((Subject("name", _SHA256), Subject("ä.tar", "cd" * 32)), COSIGN_SIGN, {"a": [1, None]})
    assert read_statement(statement_bytes(statement)) == statement


def test_the_same_statement_has_the_same_bytes() -> None:
    assert statement_bytes(Statement((Subject("a", _SHA256),), "p", {"b": 1, "a": 2})) == (
        b'{"_type":"https://in-toto.io/Statement/v1","predicate":{"a":2,"b":1},"predicateType":"p",'
        b'"subject":[{"digest":{"sha256":"' + _SHA256.encode() + b'"},"name":"a"}]}'
    )


def test_statements_of_other_programs_are_read() -> None:
    foreign = _GOOD | {
        "_type": "https://in-toto.io/Statement/v0.1",
        "subject": [
            {"uri": "pkg:npm/x", "digest": {"sha512": "ab" * 64}, "annotations": {}},
            {"digest": {"sha256": _SHA256, "sha1": "ab" * 20}},
        ],
        "predicate": None,
    }
    assert read_statement(json.dumps(foreign).encode()) == Statement(
        (Subject("", None), Subject("", _SHA256)), "https://example.com/p", {}
    )


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff\xfe{\x00}\x00",
        b"[]",
        b"{}",
        json.dumps(_GOOD).encode() + b"{}",
        json.dumps(_GOOD).replace('"predicate"', '"subject": [], "predicate"').encode(),
        json.dumps(_GOOD | {"_type": "https://in-toto.io/Statement/v2"}).encode(),
        json.dumps(_GOOD | {"predicateType": ""}).encode(),
        json.dumps(_GOOD | {"predicateType": 1}).encode(),
        json.dumps(_GOOD | {"predicate": []}).encode(),
        json.dumps(_GOOD | {"subject": []}).encode(),
        json.dumps(_GOOD | {"subject": {}}).encode(),
        json.dumps(_GOOD | {"subject": ["a"]}).encode(),
        json.dumps(_GOOD | {"subject": [{"name": "a"}]}).encode(),
        json.dumps(_GOOD | {"subject": [{"name": 1, "digest": {"sha256": _SHA256}}]}).encode(),
        json.dumps(_GOOD | {"subject": [{"name": "a", "digest": {}}]}).encode(),
        json.dumps(_GOOD | {"subject": [{"name": "a", "digest": {"sha256": _SHA256.upper()}}]}).encode(),
        json.dumps(_GOOD | {"subject": [{"name": "a", "digest": {"sha256": 7}}]}).encode(),
        json.dumps(_GOOD | {"subject": [{"name": "a", "digest": {"sha256": "٣" * 64}}]}).encode(),
    ],
)
def test_what_is_no_statement_is_refused(payload: bytes) -> None:
    with pytest.raises(InvalidSignature):
        read_statement(payload)


def test_more_subjects_than_anybody_needs_are_too_much() -> None:
    with pytest.raises(LimitExceeded):
        read_statement(json.dumps(_GOOD | {"subject": [_GOOD["subject"]] * 10_001}).encode())


def test_a_predicate_without_end_is_too_much() -> None:
    with pytest.raises(LimitExceeded):
        read_statement(json.dumps(_GOOD).replace('"x": 1', '"x": ' + "[" * 5000 + "]" * 5000).encode())
