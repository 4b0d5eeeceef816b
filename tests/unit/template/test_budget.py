"""Templates written to cost time and memory: each is stopped by its budget, at a place, long before it hurts."""

from __future__ import annotations

import time
import tracemalloc
from typing import Any

import pytest

from agent_sync.errors import LimitExceeded, TransformFailed
from agent_sync.transform.template import Budget, execute, parse, render

SMALL = Budget(steps=20_000, output_bytes=500_000, depth=50, tokens=20_000)
LARGE_TEXT = "x" * 200_000
MANY = 100_000

BOMBS = {
    "nested ranges": "{{ range 1000000000 }}{{ range 1000000000 }}{{ end }}{{ end }}",
    "a range with text": "{{ range 1000000000 }}aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa{{ end }}",
    "a range over a byte": "{{ range 1000 }}{{ range index `~` 0 }}{{ end }}{{ end }}",
    "doubling": "{{ $x := `aaaaaaaaaaaaaaaa` }}{{ range 64 }}{{ $x = print $x $x }}{{ end }}",
    "wide numbers": '{{ range 1000000 }}{{ $x := printf "%1000000d" 1 }}{{ end }}',
    "wider numbers": '{{ range 1000000 }}{{ $x := printf "%9999999d" 1 }}{{ end }}',
    "long fractions": '{{ range 1000000 }}{{ $x := printf "%.1000000f" 1.5 }}{{ end }}',
    "wide lists": '{{ printf "%1000000v" .list }}',
    "a template that calls itself": "{{ define `a` }}{{ template `a` . }}{{ end }}{{ template `a` . }}",
    "templates that call each other": (
        "{{ define `a` }}{{ template `b` }}{{ end }}{{ define `b` }}{{ template `a` }}{{ end }}{{ template `a` }}"
    ),
    "the file that calls itself": '{{ template "" . }}',
    "parentheses": "{{" + "(" * MANY + "1" + ")" * MANY + "}}",
    "nested ifs": "{{ if 1 }}" * MANY,
    "a chain of else if": "{{ if 0 }}" + "{{ else if 0 }}" * MANY + "{{ end }}",
    "many words": "{{ print " + "1 " * MANY + "}}",
    "many comments": "{{/**/}}" * MANY,
    "many actions": "{{ . }}" * MANY,
    "a literal of escapes": '{{ "' + r"\n" * MANY + '" }}',
    "printing in a range": "{{ range 1000000 }}{{ $x := html $.large }}{{ end }}",
    "quoting in a range": "{{ range 1000000 }}{{ $x := printf `%q` $.large }}{{ end }}",
    "comparing in a range": "{{ range 1000000 }}{{ $x := eq $.large $.copy }}{{ end }}",
    "measuring in a range": "{{ range 1000000 }}{{ $x := len $.accents }}{{ end }}",
    "indexing in a range": "{{ range 1000000 }}{{ $x := index $.accents 1 }}{{ end }}",
    "slicing in a range": "{{ range 1000000 }}{{ $x := slice $.large 1 }}{{ end }}",
    "sorting in a range": "{{ range 1000000 }}{{ range $.map }}{{ break }}{{ end }}{{ end }}",
    "a format of verbs": "{{ printf .verbs }}",
    "a format of open brackets": "{{ printf .brackets }}",
    "deep data": "{{ .deep }}",
    "data that holds itself": "{{ .cycle }}",
    "data that holds itself twice over": "{{ .lattice }}",
}


def hostile_data() -> dict[str, Any]:
    deep: list[Any] = []
    for _ in range(500):
        deep = [deep]
    cycle: list[Any] = []
    cycle.append(cycle)
    lattice: list[Any] = [1]
    for _ in range(40):
        lattice = [lattice, lattice]
    return {
        "large": LARGE_TEXT,
        "copy": LARGE_TEXT[:-1] + "y",
        "accents": "\u00e9" * 100_000,
        "list": list(range(100)),
        "map": {str(number): number for number in range(1000)},
        "verbs": "%d" * MANY,
        "brackets": "%[" * MANY,
        "deep": deep,
        "cycle": cycle,
        "lattice": lattice,
    }


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_stopped_at_a_place_in_bounded_time_and_memory(name: str) -> None:
    data = hostile_data()
    tracemalloc.start()
    started = time.process_time()
    with pytest.raises(LimitExceeded) as caught:
        render(BOMBS[name], file="bomb.md", data=data, budget=SMALL)
    seconds = time.process_time() - started
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert caught.value.place is not None
    assert caught.value.place.file == "bomb.md"
    assert caught.value.remedy
    assert seconds < 10  # it takes a fraction of one; what is not stopped takes hours
    assert peak_bytes < 40_000_000


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("{{ " + "9" * MANY + " }}", "longer than"),
        ("{{ " + "0" * MANY + " }}", "longer than"),
        ("{{ ." + "a" * MANY + " }}", "longer than"),
        ("{{ ." + "\u00e9" * MANY + " }}", "longer than"),
        ('{{ "' + "a" * MANY, "no closing"),
        ('{{ "' + r"\"" * MANY, "no closing"),
        ("{{ `" + "a" * MANY, "no closing"),
        ("{{/*" * MANY, "no closing"),
        ("{{" * MANY, "cannot be"),
        ("{{" + " " * MANY + "x", "does not exist"),
    ],
)
def test_a_huge_or_endless_word_is_an_error_and_no_hang(text: str, error: str) -> None:
    with pytest.raises(TransformFailed, match=error):
        render(text, file="a.md", data={})


def test_spaces_and_braces_without_end_are_read_in_one_pass() -> None:
    started = time.process_time()
    text = ("a" + " " * 500 + "{{- 1 -}}" + " " * 500 + "{ " * 500) * 500
    assert len(render(text, file="a.md", data={})) < len(text)
    assert time.process_time() - started < 5


def test_blank_definitions_of_one_name_are_not_looked_through_again_and_again() -> None:
    started = time.process_time()
    full = "{{ define `a` }}" + " " * 5_000_000 + "{{ . }}{{ end }}"
    parse(full + "{{ define `a` }} {{ end }}" * 10_000, file="a.md")
    assert time.process_time() - started < 10


def test_many_variables_are_found_without_a_search() -> None:
    started = time.process_time()
    text = "{{ $first := 1 }}" + "{{ $x := 1 }}" * 10_000 + "{{ $first }}" * 10_000
    assert render(text, file="a.md", data={}) == "1" * 10_000
    assert time.process_time() - started < 10


def test_open_brackets_in_a_format_do_not_each_search_to_its_end() -> None:
    started = time.process_time()
    form = "%[" * 100_000 + "x" * 10_000_000
    assert len(render("{{ printf .form }}", file="a.md", data={"form": form})) == len(form) - 100_000
    assert time.process_time() - started < 8


def test_each_bound_can_be_set() -> None:
    assert render("{{ range 10 }}.{{ end }}", file="a.md", data={}) == "." * 10
    with pytest.raises(LimitExceeded, match="more than 20 steps"):
        render("{{ range 10 }}.{{ end }}", file="a.md", data={}, budget=Budget(steps=20))
    with pytest.raises(LimitExceeded, match="more than 9 bytes"):
        render("{{ range 10 }}.{{ end }}", file="a.md", data={}, budget=Budget(output_bytes=9))
    with pytest.raises(LimitExceeded, match="deeper than 1 level"):
        render("{{ if 1 }}{{ if 1 }}.{{ end }}{{ end }}", file="a.md", data={}, budget=Budget(depth=1))
    with pytest.raises(LimitExceeded, match="more than 5 tokens"):
        render("{{ range 10 }}.{{ end }}", file="a.md", data={}, budget=Budget(tokens=5))


@pytest.mark.parametrize("text", ["{{ len .v }}", "{{ eq .v .v }}", "{{ index .v 0 }}", "{{ slice .v 0 2 }}"])
def test_reading_a_long_text_costs_steps_by_its_length(text: str) -> None:
    long = "\u00e9" * 1_000_000
    assert render(text, file="a.md", data={"v": long[:1000]}, budget=Budget(steps=1000))
    with pytest.raises(LimitExceeded, match="more than 1000 steps"):
        render(text, file="a.md", data={"v": long}, budget=Budget(steps=1000))


@pytest.mark.parametrize("function", ["html", "js", "urlquery", "printf `%q`", "printf `% #x`"])
def test_an_escape_that_grows_a_text_is_stopped_while_it_grows(function: str) -> None:
    data = {"v": "<\n" * 2_000_000}
    tracemalloc.start()
    with pytest.raises(LimitExceeded, match="more than 1000000 bytes"):
        render(f"{{{{ $x := {function} .v }}}}", file="a.md", data=data, budget=Budget(output_bytes=1_000_000))
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 12_000_000


def test_output_is_counted_in_bytes() -> None:
    assert render("{{ 1 }}\u20ac", file="a.md", data={}, budget=Budget(output_bytes=4)) == "1\u20ac"
    with pytest.raises(LimitExceeded, match="more than 3 bytes"):
        render("{{ 1 }}\u20ac", file="a.md", data={}, budget=Budget(output_bytes=3))


def test_a_budget_deeper_than_the_stack_still_ends_in_an_error_of_ours() -> None:
    endless = Budget(depth=10**9)
    with pytest.raises(LimitExceeded):
        parse("{{" + "(" * 50_000 + "1" + ")" * 50_000 + "}}", file="a.md", budget=endless)
    with pytest.raises(LimitExceeded):
        execute(parse('{{ template "" . }}', file="a.md"), data={}, budget=endless)


def test_a_deep_but_sensible_template_is_within_the_default_budget() -> None:
    levels = 90
    text = "{{ if 1 }}" * levels + "x" + "{{ end }}" * levels + "{{" + "(" * levels + "1" + ")" * levels + "}}"
    assert render(text, file="a.md", data={}) == "x1"


def test_a_width_beyond_gos_own_bound_is_answered_as_go_answers_it() -> None:
    assert render('{{ printf "%1000000000d" 1 }}', file="a.md", data={}) == "%!(NOVERB)%!(EXTRA int=1)"
