"""The Markdown of this repository as its tests see it: pages, their code blocks, tables, links and anchors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.architecture.tree import ROOT, files

_FENCE = re.compile(r"^```(?P<language>[a-z]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]+`")
_LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\((?P<target>[^()\s]+)\)")
_HEADING = re.compile(r"^#{1,6} (?P<text>.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, its text with the last line end, and the line of the page that it begins at."""

    page: str
    language: str
    text: str
    line: int

    @property
    def file(self) -> str | None:
        """The file that the block shows, if its first line is a comment that names it: `# agent-sync.yaml`."""
        named = re.match(r"# (?P<file>[^\s()]+)(?: \(part\))?\n", self.text)
        return None if named is None else named["file"]

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True, slots=True)
class Link:
    """A link of a page to a file of this repository, relative to the page, or to an anchor in one."""

    page: str
    target: str

    @property
    def file(self) -> str:
        """The file, from the repository's root."""
        path = self.target.partition("#")[0]
        return str(Path(self.page).parent / path) if path else self.page

    @property
    def anchor(self) -> str:
        """The anchor; empty if the link is to the file as a whole."""
        return self.target.partition("#")[2]


@cache
def pages() -> tuple[str, ...]:
    """Every Markdown file of the repository, from its root, in order."""
    return tuple(name for name in files() if name.endswith(".md"))


@cache
def text_of(page: str) -> str:
    """What the page says."""
    return (ROOT / page).read_text(encoding="utf-8")


@cache
def blocks(page: str) -> tuple[Block, ...]:
    """The fenced blocks of the page, in order."""
    text = text_of(page)
    return tuple(
        Block(page, found["language"], found["text"], text.count("\n", 0, found.start()) + 1)
        for found in _FENCE.finditer(text)
    )


def prose(page: str) -> str:
    """The page without its fenced blocks."""
    return _FENCE.sub("", text_of(page))


def inline_code(page: str) -> Iterator[str]:
    """Every piece of code in the page's prose, in order."""
    return (found[0].strip("`") for found in _CODE.finditer(prose(page)))


def links(page: str) -> Iterator[Link]:
    """The links that do not leave the repository, in order."""
    for found in _LINK.finditer(_CODE.sub("", prose(page))):
        if not re.match(r"[a-z]+:", found["target"]):
            yield Link(page, found["target"])


def anchors(page: str) -> set[str]:
    """The anchors that the page's headings make, as GitHub spells them."""
    return {_anchor(found["text"]) for found in _HEADING.finditer(prose(page))}


def section(page: str, heading: str) -> str:
    """What stands below the heading, up to the next heading of any level. AssertionError if there is none."""
    parts = re.split(r"^#{1,6} (.+)$", text_of(page), flags=re.MULTILINE)
    found = dict(zip(parts[1::2], parts[2::2], strict=True)).get(heading)
    assert found is not None, f"{page} has no heading {heading!r}"
    return found


def rows(text: str) -> list[tuple[str, ...]]:
    """The rows of every table in the text, less their headers and rulers; a `|` in code is escaped in Markdown."""
    found: list[tuple[str, ...]] = []
    for line in text.split("\n"):
        if re.fullmatch(r"\|[-:| ]+\|", line):
            found.pop()  # what stands above a ruler is a header
        elif line.startswith("|"):
            found.append(tuple(cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]))
    return found


def codes(cell: str) -> list[str]:
    """The pieces of code in a cell, in order."""
    return [code.strip("`") for code in _CODE.findall(cell)]


def _anchor(heading: str) -> str:
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", plain.lower()).strip().replace(" ", "-")
