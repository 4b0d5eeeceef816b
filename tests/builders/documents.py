"""Documents made of whatever has tripped a YAML reader, and locks of any size."""

from __future__ import annotations

import hashlib
import random
from typing import Any

from agent_sync.documents import Value
from agent_sync.documents.reader import SourceText
from agent_sync.errors import LockInvalid

AWKWARD = (
    # words that are something else to some reader
    *("yes", "No", "on", "Off", "y", "N", "null", "Null", "~", "true", "TRUE", "=", "<<", "<<<<<<< HEAD", "======="),
    # numbers, dates and times that are something else to some reader
    *(
        "1",
        "-1",
        "+1",
        "010",
        "0x1",
        "0b1",
        "0o7",
        "1_000",
        "1:30",
        "1e5",
        "1e+5",
        ".5",
        "1.5",
        ".inf",
        "-.INF",
        ".nan",
    ),
    *("2024-01-01", "2024-01-01T00:00:00Z", "12:30:45", "1" * 64, "0" * 40, "1e5" + "0" * 37, "a" * 64, "0b12ab"),
    # punctuation that begins or ends something
    *(
        "",
        " ",
        " a",
        "a ",
        "a  b",
        "a: b",
        "a:",
        ":a",
        "a:b",
        "a::b",
        "# a",
        "a #b",
        "a#b",
        "- a",
        "-",
        "? a",
        "?",
        "|",
        ">",
    ),
    *(
        "*a",
        "&a",
        "!a",
        "%a",
        "@a",
        "`a",
        "[",
        "]",
        "{",
        "}",
        "a,b",
        "'a'",
        '"a"',
        '"',
        "'",
        "\\",
        "a\\",
        "---",
        "...",
        "...a",
    ),
    # what files are called
    *(
        ".",
        "..",
        "./a",
        "../a",
        "._",
        ".infra/a",
        ".Nano",
        "/abs",
        "a~b",
        "a=b",
        "(a)",
        "with space.md",
        "https://a.b/c",
    ),
    *("git@a.b:c/d.git", "sha256:0a1b", "sha256-cC/A104c=", "a" * 512, "a" * 513, "a" * 1010, "é" * 1000, '"' * 600),
    # what editors and terminals do not show
    *("\t", "\n", "a\nb", "\r", "a\r\nb", "\x00", "\x1b[0m", "\x7f", "\x85", "\u2028", "\u2029", "\ufeffa", "\ufffe"),
    *("\u202ea", "\u2066a", "\u200d", "é", "\U0001f600", "\U0001fffe", "\U0010ffff"),
)

_PUNCTUATION = "abXY019._/:@-~#= ,'\"\\\n\t{}[]!&*?|>%é\u2028"
_NUMBERS = (0, -1, 2**63 - 1, -(2**63), 0.0, -0.0, 1.5, 1e16, 1e-7, 1.7976931348623157e308, 5e-324)


def a_document(number: int) -> dict[str, Value]:
    """The document of that number: always the same, and unlike the others."""
    chance = random.Random(number)
    first = "version" if number % 2 else _text(chance)
    return {first: 1} | {_text(chance): _value(chance, 0) for _ in range(chance.randrange(6))}


def a_lock(files: int, *, sources: int = 1) -> dict[str, Any]:
    """The data of a lock with so many files, shared out among the sources; every 50th is executable."""
    paths = [f"section-{number // 100:03d}/file-{number:05d}.md" for number in range(files)]
    return {
        "version": 1,
        "tool_map": "spec-v1",
        "sources": [_source(index, paths[index::sources]) for index in range(sources)],
        "outputs": [{"source": f"rules-{index}", "to": ".cursor/rules/"} for index in range(sources)],
    }


def source_text(text: str) -> SourceText:
    """The text as that of a lock, on its way into the strict reader."""
    return SourceText("agent-sync.lock", text, LockInvalid)


def _source(index: int, paths: list[str]) -> dict[str, Any]:
    digests = [hashlib.sha256(path.encode()).hexdigest() for path in paths]
    files = {
        path: {"sha256": digest, "executable": True} if path.endswith(("00.md", "50.md")) else {"sha256": digest}
        for path, digest in zip(paths, digests, strict=True)
    }
    resolved = {"commit": "3f" * 20, "tree": "a8" * 20, "blob": f"sha256:{'0b' * 32}", "size": 20480, "files": files}
    return {"name": f"rules-{index}", "type": "git", "resolved": resolved, "status": "ok"}


def _text(chance: random.Random) -> str:
    kind = chance.random()
    if kind < 0.6:
        return chance.choice(AWKWARD)
    if kind < 0.8:
        return "".join(chance.choice(_PUNCTUATION) for _ in range(chance.randrange(12)))
    ranges = ((0, 0x80), (0x80, 0x300), (0xE000, 0x10000), (0x10000, 0x110000))
    return "".join(chr(chance.randrange(*chance.choice(ranges))) for _ in range(chance.randrange(6)))


def _value(chance: random.Random, depth: int) -> Value:
    kind = chance.random()
    if kind < 0.2 and depth < 6:
        return {_text(chance): _value(chance, depth + 1) for _ in range(chance.randrange(5))}
    if kind < 0.35 and depth < 6:
        return [_value(chance, depth + 1) for _ in range(chance.randrange(4))]
    if kind < 0.5:
        return {chance.choice(("a/b.md", "with space.md", _text(chance))): _file(chance) for _ in range(3)}
    if kind < 0.85:
        return _text(chance)
    return chance.choice((None, True, False, chance.randrange(10**18), chance.uniform(-1e20, 1e20), *_NUMBERS))


def _file(chance: random.Random) -> dict[str, Value]:
    """An entry of a map of files; now and then one that only looks like it."""
    digest = chance.choice((*(f"{chance.getrandbits(256):064x}" for _ in range(8)), "456def...", None, _text(chance)))
    file: dict[str, Value] = {"sha256": digest}
    if chance.random() < 0.3:
        file["executable"] = chance.choice((True, True, True, False, 1))
    if chance.random() < 0.1:
        file["source"] = _text(chance)
    return file
