"""What a user writes and what comes out; every corner of it is in tests/golden/template/cases.json."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest

from agent_sync.transform.template import Template, execute, parse, render

VARIABLES: dict[str, Any] = {
    "project": "atlas",
    "strict": True,
    "languages": ["python", "go"],
    "owner": {"name": "Ada", "mail": "ada@example.org"},
    "tries": 3,
    "ratio": 0.5,
    "note": None,
}


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("Project: {{ .project }}", "Project: atlas"),
        ("{{ .owner.name }} <{{ .owner.mail }}>", "Ada <ada@example.org>"),
        ("{{ if .strict }}strict{{ else }}lax{{ end }}", "strict"),
        ("{{ if .note }}a{{ else if gt .tries 2 }}b{{ else }}c{{ end }}", "b"),
        ("{{ range .languages }}\n- {{ . }}{{ end }}", "\n- python\n- go"),
        ("{{ range $i, $l := .languages }}{{ $i }}:{{ $l }} {{ end }}", "0:python 1:go "),
        ("{{ range $key, $value := .owner }}{{ $key }}={{ $value }};{{ end }}", "mail=ada@example.org;name=Ada;"),
        ("{{ range 3 }}{{ . }}{{ end }}", "012"),
        ("{{ with .owner }}{{ .name }} of {{ $.project }}{{ end }}", "Ada of atlas"),
        ("{{ $n := len .languages }}{{ $n = print $n `!` }}{{ $n }}", "2!"),
        ("a {{- /* gone */ -}} b", "ab"),
        ("{{ .project | printf `%-8s|` }}", "atlas   |"),
        ("{{ index .languages 1 }} {{ slice .project 1 3 }}", "go tl"),
        ("{{ html `<b>` }} {{ urlquery `a b&c` }} {{ js `it's` }}", r"&lt;b&gt; a+b%26c it\'s"),
        ("{{ define `hi` }}hi {{ . }}{{ end }}{{ template `hi` .project }}", "hi atlas"),
        ("{{ block `hi` .owner }}{{ .name }}{{ end }}", "Ada"),
        ("{{ .owner }} {{ .languages }} {{ .note }}", "map[mail:ada@example.org name:Ada] [python go] <no value>"),
        ("{{ and .strict .tries }} {{ or .note `none` }} {{ not .strict }}", "3 none false"),
        ("{{ eq .project `x` `atlas` }} {{ lt .ratio 1.0 }}", "true true"),
        ('{{"{{"}} stays {{"}}"}}', "{{ stays }}"),
        ('{{ with index . "missing" }}{{ . }}{{ else }}default{{ end }}', "default"),
    ],
)
def test_a_template_says_what_go_would_say(text: str, result: str) -> None:
    assert render(text, file="a.md", data=VARIABLES) == result


def test_a_text_without_braces_is_returned_as_it_is() -> None:
    text = "# Rules\n\n{ not } a template, { { nor } } this \udcff"
    assert render(text, file="a.md", data={}) is text


def test_one_parse_serves_many_renderings() -> None:
    template = parse("{{ .who }}{{ $x := .who }}{{ $x }}", file="a.md")
    assert isinstance(template, Template)
    assert [execute(template, data={"who": name}) for name in ("a", "b")] == ["aa", "bb"]


def test_the_order_of_the_keys_in_the_data_does_not_matter() -> None:
    text = "{{ . }}{{ range $k, $v := . }}{{ $k }}{{ end }}"
    forwards, backwards = {"a": 1, "b": 2}, {"b": 2, "a": 1}
    assert render(text, file="a.md", data=forwards) == render(text, file="a.md", data=backwards) == "map[a:1 b:2]ab"


def test_any_mapping_and_any_sequence_will_do() -> None:
    data: Mapping[str, Any] = MappingProxyType({"list": (1, 2), "map": MappingProxyType({"k": ("v",)})})
    assert render("{{ .list }}{{ .map }}{{ index .map.k 0 }}{{ len .list }}", file="a.md", data=data) == (
        "[1 2]map[k:[v]]v2"
    )


def test_text_keeps_every_byte_outside_of_the_braces() -> None:
    text = "\ufeffline\r\nnext\x00 \u2028 {{ 1 }}\r\n"
    assert render(text, file="a.md", data={}) == "\ufeffline\r\nnext\x00 \u2028 1\r\n"


def test_a_class_that_makes_up_missing_keys_is_not_asked_to() -> None:
    class Inventive(dict[str, Any]):
        def __missing__(self, key: str) -> str:
            return f"made-up {key}"

    assert render("{{ index . `a` }}", file="a.md", data=Inventive()) == "<no value>"
