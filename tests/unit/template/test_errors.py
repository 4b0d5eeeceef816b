"""A template that cannot be rendered: which error, at which place, with which way out."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from agent_sync.errors import MissingVariable, TransformFailed
from agent_sync.transform.template import parse, render


def refusal(text: str, data: dict[str, Any] | None = None) -> TransformFailed:
    with pytest.raises(TransformFailed) as caught:
        render(text, file="rules/a.md", data=data or {})
    return caught.value


def test_a_missing_key_is_an_error_of_its_own_that_names_file_line_and_column() -> None:
    error = refusal("# Title\n\nProject: {{ .projct }}\n", {"project": "atlas"})
    assert isinstance(error, MissingVariable)
    assert str(error.place) == "rules/a.md:3:13"
    assert error.place is not None
    assert error.place.text == "Project: {{ .projct }}"
    assert error.subject == "template rules/a.md"
    assert error.check == 'the variable "projct" is not defined; did you mean "project"?'
    assert error.remedy is not None
    assert "variables" in error.remedy


@pytest.mark.parametrize(
    "text", ["{{ .a.b }}", "{{ .nothing.b }}", "{{ $.b }}", "{{ $x := .a }}{{ $x.b }}", "{{ (.a).b }}"]
)
def test_a_key_below_a_map_or_below_nothing_is_missing_too(text: str) -> None:
    assert isinstance(refusal(text, {"a": {"c": 1}, "nothing": None}), MissingVariable)


@pytest.mark.parametrize(
    "text",
    [
        "{{ .s.b }}",
        "{{ .list.b }}",
        "{{ fn }}",
        "{{ if }}{{ end }}",
        "{{ if .s }}",
        "{{ end }}",
        "{{ .s",
        '{{ "a }}',
        "{{ $x }}",
        "{{ index .list 9 }}",
        "{{ len 1 }}",
        "{{ eq 1 `a` }}",
        "{{ template `none` }}",
        "{{ break }}",
        "{{ .s 1 }}",
        "{{ nil }}",
    ],
)
def test_every_other_fault_is_a_failed_transform_with_a_place(text: str) -> None:
    error = refusal(f"\n {text}", {"s": "x", "list": [1]})
    assert not isinstance(error, MissingVariable)
    assert error.place is not None
    assert (error.place.file, error.place.line) == ("rules/a.md", 2)
    assert error.remedy


@pytest.mark.parametrize(
    "name", ["readFile", "env", "exec", "include", "getenv", "glob", "shell", "call", "lookup", "tpl"]
)
def test_a_function_that_could_reach_out_does_not_exist(name: str) -> None:
    assert name in refusal(f"{{{{ {name} `/etc/passwd` }}}}").check


@pytest.mark.parametrize(
    "text", ["{{ .s.Upper }}", "{{ .s.__class__ }}", "{{ .__class__ }}", "{{ index . `__class__` 0 }}"]
)
def test_no_attribute_or_method_of_a_value_is_reachable(text: str) -> None:
    refusal(text, {"s": "x"})


@pytest.mark.parametrize("number", ["1i", "1+2i", "-1.5-2i", "0x1p2i"])
def test_a_complex_number_is_refused_by_its_name(number: str) -> None:
    assert "complex" in refusal(f"{{{{ {number} }}}}").check


@pytest.mark.parametrize(
    "text",
    [
        "run: ${{ github.sha }}",
        "a\n  token: ${{ secrets.TOKEN }}",
        "${{ matrix.os == 'linux' && 'a' || 'b' }}",
        "${{ .sha }}",
        "${{ steps.x.outputs.y",
        "${{ inputs.name }} {{ .project }}",
        "${{ if }}",
        "${{ range .x }}",
        "${{ hashFiles('**/lock') }}",
    ],
)
def test_the_expression_of_another_tool_is_met_with_the_way_to_leave_the_file_out(text: str) -> None:
    error = refusal(text, {"project": "atlas", "x": []})
    assert error.place is not None
    assert error.place.line == text.count("\n") + 1
    assert error.remedy is not None
    assert "`exclude:`" in error.remedy
    assert "another tool" in error.remedy


def test_braces_of_our_own_are_not_taken_for_another_tools() -> None:
    error = refusal("costs $ {{ .price }}")
    assert error.remedy is not None
    assert "another tool" not in error.remedy


def test_a_name_without_its_dot_is_met_with_the_dot() -> None:
    error = refusal("{{ project }}", {"project": "atlas"})
    assert error.remedy is not None
    assert ".project" in error.remedy


def test_a_block_that_is_never_closed_is_shown_where_it_opens() -> None:
    error = refusal("a\n{{ if true }}\n\n\n{{ range 3 }}{{ end }}\n")
    assert error.place is not None
    assert (error.place.line, error.place.column) == (2, 1)
    assert "{{if}}" in error.check


def test_what_a_template_holds_cannot_reach_the_terminal() -> None:
    error = refusal('{{ .x | "\x1b]0;owned\x07\u202e" | fn\x1b }}')
    assert error.place is not None
    shown = f"{error.check}{error.remedy}{error.place.text}{error.subject}"
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "\u202e" not in shown


def test_a_long_line_is_not_shown_whole() -> None:
    error = refusal("x" * 100_000 + "{{ fn }}" + "y" * 100_000)
    assert error.place is not None
    assert error.place.column == 100_004
    assert len(error.place.text) < 300


def test_a_result_that_is_no_text_is_refused_where_it_was_cut() -> None:
    error = refusal("a\n{{ slice .word 0 2 }}", {"word": "h\u00e9"})
    assert "UTF-8" in error.check
    assert error.place is not None
    assert error.place.line == 2


def test_two_halves_of_a_character_that_meet_are_text_again() -> None:
    assert render("{{ slice .w 0 2 }}{{ slice .w 2 }}", file="a.md", data={"w": "h\u00e9"}) == "h\u00e9"


@pytest.mark.parametrize(
    ("text", "value", "told"),
    [
        ("{{ .v }}", datetime.date(2024, 1, 1), "date"),
        ("{{ .v }}", b"bytes", "bytes"),
        ("{{ range .v }}{{ end }}", {1, 2}, "set"),
        ("{{ len .v }}", b"bytes", "bytes"),
        ("{{ range .v }}{{ end }}", {1: "a"}, "keys must be text"),
        ("{{ .v }}", {"a": {1: "a"}}, "keys must be text"),
        ("{{ .v }}", 2**63, "64 bits"),
        ("{{ printf `%x` .v }}", -(2**63) - 1, "64 bits"),
        pytest.param("{{ .v }}", 10**5000, "64 bits", id="an integer that Python itself would not print"),
        ("{{ len .v }}", "\ud800", "surrogate"),
        ("{{ .v }}", "\ud800", "surrogate"),
    ],
)
def test_data_that_no_template_can_hold_is_refused_when_it_is_used(text: str, value: object, told: str) -> None:
    data: dict[str, Any] = {"v": value, "other": 1}
    assert told in refusal(text, data).check
    assert render("{{ .other }}", file="a.md", data=data) == "1"


def test_a_file_with_a_lone_surrogate_is_refused_when_it_is_parsed() -> None:
    with pytest.raises(TransformFailed, match="surrogate"):
        parse("\ud800 {{ .x }}", file="a.md")
