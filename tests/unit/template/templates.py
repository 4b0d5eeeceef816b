"""Random templates: mostly sensible ones, which reach deep into both engines, and senseless ones, which part lexers.

A plain `random.Random` with a given seed: the same templates everywhere, and thousands in a second.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, TypeVar

T = TypeVar("T")

DATA: dict[str, Any] = {
    "s": "word",
    "e": "",
    "u": "h\u00e9llo \u2713 \U0001f600\u200b\x07\"'`<a&b>=\\\r\n",
    "i": 3,
    "z": 0,
    "n": -7,
    "f": 2.5,
    "g": -0.0,
    "h": 1e21,
    "t": True,
    "no": False,
    "nil": None,
    "list": [1, "two", 3.5, None, True],
    "nums": [5, 3, 8],
    "none": [],
    "m": {"b": 1, "a": "x", "\u00e9": None, "Z": [1, 2]},
    "em": {},
    "deep": {"list": [{"name": "A", "n": 1}, {"name": "B", "n": 2}], "m": {"k": {"v": "end"}}},
}
LARGE: dict[str, Any] = {
    "max": 2**63 - 1,
    "min": -(2**63),
    "inf": math.inf,
    "ninf": -math.inf,
    "nan": math.nan,
    "tiny": 5e-324,
    "huge": 1.7976931348623157e308,
    "third": 1 / 3,
    "char": 0x1F600,
    "surrogate": 0xD800,
}
"""Numbers to print, but not to count to."""


def _words(text: str) -> list[str]:
    return text.split()


_NUMBERS = _words("""0 1 2 3 7 -1 +2 007 0x1F 0xe -0xe 0b101 0o17 1_000 0x_1 1.5 .5 1. 1e3 1E-2 0x1p4 0x1.8p1 1_0.2_5 -0
    -0.0 1e-400 'a' '\\n' '\\x41' '\\'' 'é' '\\u00e9' 9223372036854775808""")
_BAD_NUMBERS = _words("""1__0 089 0x1.8 1_.5 1e400 99999999999999999999 '' 'ab' '\\q' '\\400' '\\ud800' + - 1e 0b2 1x 1i
    '\\""")
_STRINGS = ['""', '"a"', '"a b"', '"\\n\\t\\x41\\u00e9\\101"', '"\\xff"', '"\\xc3"', '"\\xa9z"', '"<a href=\\"x\\">"']
_STRINGS += ["`raw \\n`", "`two\nlines\r`", '"key"', '"b"', '"list"', '"%d"', '"%v-%v"', '"\\U0001F600"']
_BAD_STRINGS = ['"\\q"', '"\\\'"', '"', "`", '"\n"', '"\\ud800"', '"\\400"']
_FIELDS = _words(""".s .e .u .i .z .n .f .g .h .t .no .nil .list .nums .none .m .em .deep .deep.list .deep.m.k
    .deep.m.k.v .m.a""")
_BAD_FIELDS = _words(""".m.zz .missing .nil.x .s.x .list.x .name""")
_FRAGMENTS = [
    " ",
    " ",
    " ",
    "\n",
    "\t",
    "\x00",
    " -}}",
    "{{- ",
    *_words("""
    ( ) | := = , : ! & \\ + - /* */ { } {{ }} }} }} {{ - . .. .a .a.b $ $x $x.a $1 x _ nil true if else end range with
    define block template break continue len print eq "a" " ` ' 'a' 1 0x 1e 1.5 .5 1i 1+2 1-2i é ² ٣
    """),
]
_TEXTS = ["", "a", " b ", "\n", " \n c\n ", "}}", "{", "$", "\u00e9\u2713", "-", " - "]
_ARITY = {"not": (1, 1), "len": (1, 1), "index": (1, 3), "slice": (1, 3), "eq": (2, 4), "and": (1, 3), "or": (1, 3)}
_ARITY |= dict.fromkeys(("ne", "lt", "le", "gt", "ge"), (2, 2))
_ARITY |= dict.fromkeys(("print", "println", "html", "js", "urlquery"), (0, 3))
_NAMES = ['"t1"', '"t2"', "`t1`", '"t3"']


class Writer:
    """Writes templates from `random`. `folly` is how often it does what the language forbids."""

    def __init__(self, random: Random, *, folly: float = 0.01) -> None:
        self._random = random
        self._folly = folly
        self._variables = ["$"]
        self._ranges = 0

    def file(self) -> str:
        """A whole template: a few definitions around a body."""
        definitions = [
            f"{{{{define {name}}}}}{self._apart(2)}{{{{end}}}}" for name in self._random.sample(_NAMES, self._some(2))
        ]
        parts = [*definitions, self.body(3)]
        self._random.shuffle(parts)
        return "".join(parts)

    def body(self, depth: int) -> str:
        """Text, actions and control structures in a row."""
        return "".join(self._statement(depth) for _ in range(self._some(4)))

    def pipeline(self, depth: int) -> str:
        """Commands joined by `|`, sometimes with a declaration."""
        first = self._call(depth) if self._chance(0.4) else self._operand(depth)
        more = [self._call(depth - 1, takes_one=True) for _ in range(self._some(2) if self._chance(0.3) else 0)]
        commands = self._pick([" | ", "|"]).join([first, *more])
        if not self._chance(0.15):
            return commands
        if self._chance(0.3) or self._is_foolish():
            return f"{self._pick(self._variables)} = {commands}"
        name = self._pick(["$x", "$y", "$z"])
        self._variables.append(name)
        return f"{name}{self._pick([' := ', ':=', ':= '])}{commands}"

    def printf(self) -> str:
        """A call of printf, sensible or not."""
        form = "".join(self._directive() for _ in range(1 + self._some(2)))
        return " ".join(["{{printf", f"`{form}`", *(self._printable() for _ in range(self._some(3)))]) + "}}"

    def soup(self) -> str:
        """Words in no order."""
        return "{{" + "".join(self._pick(_FRAGMENTS) for _ in range(self._some(20))) + self._pick(["}}", ""])

    def damaged(self) -> str:
        """A sensible template of which a little was cut out or replaced."""
        text = self.file()
        start = self._random.randrange(len(text) + 1)
        return text[:start] + self._pick(["", *_FRAGMENTS]) + text[start + self._some(4) :]

    def _statement(self, depth: int) -> str:
        kinds: list[Callable[[int], str]] = [
            self._text,
            self._text,
            self._printing,
            self._printing,
            self._printing,
            self._comment,
        ]
        if depth > 0:
            kinds += [self._branch, self._range, self._range, self._template]
        if self._ranges or self._is_foolish():
            kinds += [self._leap]
        return self._pick(kinds)(depth)

    def _text(self, _depth: int) -> str:
        return self._pick(_TEXTS)

    def _comment(self, _depth: int) -> str:
        bad = ["{{ /* no */}}", "{{/* a */ }}", "{{/* never closed"]
        return self._pick(bad if self._is_foolish() else ["{{/* c */}}", "{{- /* c */ -}}", "{{/*\n*/}}", "{{/**/}}"])

    def _printing(self, _depth: int) -> str:
        return self._action(self.pipeline(2))

    def _leap(self, _depth: int) -> str:
        leap = self._action(self._pick(["break", "continue"]))
        return leap if self._chance(0.3) else f"{{{{if {self._operand(1)}}}}}{leap}{{{{end}}}}"

    def _branch(self, depth: int) -> str:
        word = self._pick(["if", "with"])
        mark = len(self._variables)
        parts = [self._action(f"{word} {self.pipeline(2)}"), self.body(depth - 1)]
        for _ in range(self._some(2)):
            other = self._pick(["if", "with"]) if self._is_foolish() else word
            parts += [self._action(f"else {other} {self.pipeline(2)}"), self.body(depth - 1)]
        return self._ended(parts, depth, mark)

    def _range(self, depth: int) -> str:
        mark = len(self._variables)
        over = self._pick([".list", ".nums", ".none", ".m", ".em", ".deep.list", ".i", ".nil", "3", *self._variables])
        over = self.pipeline(1) if self._chance(0.1) or self._is_foolish() else over
        target = self._target()
        self._ranges += 1
        parts = [self._action(f"range {target}{over}"), self.body(depth - 1)]
        self._ranges -= 1
        return self._ended(parts, depth, mark)

    def _target(self) -> str:
        """The variables of a range."""
        if self._chance(0.4):
            return ""
        if self._chance(0.2):
            return f"{self._pick(self._variables)}{self._pick(['', ', $x'])} = "
        names = self._pick([["$x"], ["$i", "$x"], ["$i", "$i"]])
        self._variables += names
        return self._pick([", ", ","]).join(names) + self._pick(
            [" := ", ":=", ""] if self._is_foolish() else [" := ", ":="]
        )

    def _template(self, depth: int) -> str:
        name = '""' if self._chance(0.02) else self._pick(_NAMES)
        if self._chance(0.5):
            return self._action(f"template {name} {self._pick(['', '.', self.pipeline(1)])}")
        return self._action(f"block {name} {self.pipeline(1)}") + self._apart(depth) + self._action("end")

    def _apart(self, depth: int) -> str:
        """A body that sees no variable and no range of what is around it."""
        variables, ranges = self._variables, self._ranges
        self._variables, self._ranges = ["$"], 0
        body = self.body(depth - 1)
        self._variables, self._ranges = variables, ranges
        return body

    def _ended(self, parts: list[str], depth: int, mark: int) -> str:
        if self._chance(0.4):
            parts += [self._action("else"), self.body(depth - 1)]
        del self._variables[mark:]
        return "".join([*parts, "" if self._is_foolish() else self._action("end")])

    def _action(self, inside: str) -> str:
        opening = self._pick(["{{", "{{", "{{ ", "{{- ", "{{\n"])
        return opening + inside + self._pick(["}}", "}}", " }}", " -}}", "\n-}}", "  -}}"])

    def _operand(self, depth: int) -> str:
        if self._is_foolish():
            return self._pick([*_BAD_NUMBERS, *_BAD_STRINGS, *_BAD_FIELDS, "$undefined", "nil", "fn", "1.x", "$x=1"])
        if depth > 0 and self._chance(0.3):
            return f"({self.pipeline(depth - 1)}){self._pick(['', '', '', '', '', '.a', '.name'])}"
        if self._chance(0.2):
            return self._pick(self._variables) + self._pick(["", "", "", ".s", ".m.a"])
        return self._pick(
            [self._pick(_NUMBERS), self._pick(_STRINGS), *[self._pick(_FIELDS)] * 3, ".", "true", "false"]
        )

    def _call(self, depth: int, *, takes_one: bool = False) -> str:
        """A function with arguments; with `takes_one` its last one is piped in."""
        if self._chance(0.15):
            arguments = [self._operand(depth - 1) for _ in range(self._some(3))]
            return " ".join(["printf", f"`{self._directive()}{self._directive()}`", *arguments])
        name = self._pick(sorted(_ARITY))
        least, most = (0, 4) if self._is_foolish() else _ARITY[name]
        arguments = self._arguments(name, self._random.randint(least, most), depth)
        return self._pick([" ", " ", "  ", "\n"]).join([name, *(arguments[:-1] if takes_one else arguments)])

    def _arguments(self, name: str, count: int, depth: int) -> list[str]:
        if name in ("index", "slice", "len") and count and not self._is_foolish():
            lists = [".list", ".nums", ".s", ".u", "(slice .nums 0 1)", *([".m", ".em"] if name != "slice" else [])]
            keys = ["0", "0", "1", "1", "2", "3", "5", "'\\x01'"]
            first = self._pick(lists)
            keys = ['"a"', '"b"', '"zz"', '"Z"'] if first in (".m", ".em") else keys
            return [first, *sorted(self._pick(keys) for _ in range(count - 1))]
        if _ARITY[name] == (2, 2) or name == "eq":
            alike = self._pick(
                [["1", ".i", "len .s", ".n"], ["1.5", ".f", ".h"], ['"a"', ".s", ".u"], [".nil", "nil", ".i"]]
            )
            return [f"({each})" if " " in each else each for each in (self._pick(alike) for _ in range(count))]
        return [self._operand(depth - 1) for _ in range(count)]

    def _directive(self) -> str:
        if self._chance(0.15):
            return self._pick(
                ["a", " ", "%%", "%", "\u00e9", "%!", "%[3]*.[2]*[1]f", "%-", "%.", "%1001d", "%099999999d"]
            )
        flags = "".join(self._pick("+-# 0") for _ in range(self._some(2)))
        chosen = self._pick(["[1]", "[2]", "[9]", "[", "[]", "[x]", "[-1]", "[1]*"]) if self._chance(0.08) else ""
        width = self._pick(["", "", "", "1", "5", "12", "70", "*"])
        precision = self._pick(["", "", "", ".", ".0", ".1", ".3", ".17", ".70", ".*", ".[1]*"])
        return f"%{flags}{chosen}{width}{precision}{self._pick('vvvvdsqxXoObcUtTeEfFgGwpz')}"

    def _printable(self) -> str:
        special = [
            "true",
            "nil",
            ".r",
            ".r",
            ".r",
            "(index .u 1)",
            "(slice .u 1 2)",
            "(slice .list 1 3)",
            '(index .m "zz")',
        ]
        return self._pick(
            [f".{self._pick([*DATA, *LARGE])}", self._pick(_NUMBERS[:-1]), self._pick(_STRINGS), self._pick(special)]
        )

    def _pick(self, choices: Sequence[T]) -> T:
        return self._random.choice(choices)

    def _some(self, most: int) -> int:
        return self._random.randint(0, most)

    def _chance(self, probability: float) -> bool:
        return self._random.random() < probability

    def _is_foolish(self) -> bool:
        return self._chance(self._folly)


def random_value(random: Random, depth: int = 3) -> Any:  # noqa: ANN401 - any data at all
    """Data of any shape."""
    kind = random.randrange(9 if depth else 6)
    match kind:
        case 0:
            return None
        case 1:
            return random.random() < 0.5
        case 2:
            return random.choice(
                [random.randint(-9, 9), random.randint(-(2**63), 2**63 - 1), random.randint(0, 0x10FFFF)]
            )
        case 3:
            return random.choice(
                [random.uniform(-1e3, 1e3), random.lognormvariate(0, 99), float(random.randint(-999, 10**7))]
            )
        case 4 | 5:
            return "".join(_random_character(random) for _ in range(random.randrange(8)))
        case 6 | 7:
            return [random_value(random, depth - 1) for _ in range(random.randrange(4))]
        case _:
            return {_random_character(random): random_value(random, depth - 1) for _ in range(random.randrange(4))}


def _random_character(random: Random) -> str:
    code = random.choice(
        [random.randrange(32, 127), random.randrange(256), random.randrange(0x3000), random.randrange(0x110000)]
    )
    return "?" if 0xD800 <= code < 0xE000 else chr(code)
