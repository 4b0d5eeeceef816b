"""A console session as a page shows it: one shell runs the commands, and what they print is held against the page.

A page's ```console blocks hold `$ command` lines, each followed by what it prints. A line `...` stands for any number
of lines, and `...` within a line for any text; commit ids and times stand for any others. A ```yaml or ```nix block
whose first line names a file (`# agent-sync.yaml`) is written to that file when its turn comes. A command that fails
is followed by `$ echo $?`.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.docs.pages import Block

_EXIT_CODE = "echo $?"
_COMMIT_ID = r"\b(?=[0-9a-f]*[0-9])[0-9a-f]{%d}\b"
_VARYING = re.compile(
    "|".join(
        f"(?P<{name}>{pattern})"
        for name, pattern in {
            "short_id": _COMMIT_ID % 7,
            "long_id": _COMMIT_ID % 12,
            "time": r"\b[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z|\b[0-9]{8}T[0-9]{6}Z",
        }.items()
    )
)
_ENDED = re.compile(rb"\0(?P<code>\d+)\0")
_PREAMBLE = """\
exec 2>&1 </dev/null
agent-sync() {{ {python} -m agent_sync "$@"; }}
ended() {{ local code=$?; printf '\\0%d\\0' "$code"; return "$code"; }}
"""


@dataclass(frozen=True, slots=True)
class Step:
    """One command, what the page says that it prints, and where. `fails` says that the page asks for its exit code."""

    command: str
    expected: str
    place: str
    fails: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command printed, both streams in one, and the exit code that it ended with."""

    printed: str
    code: int


def steps_of(blocks: Iterable[Block]) -> list[Step]:
    """The steps of a session, in the order of the page."""
    steps: list[Step] = []
    for block in blocks:
        if block.language == "console":
            steps += _commands(block)
        elif block.language in ("yaml", "nix") and block.file is not None:
            steps.append(Step(_writing(block.file, block.text), "", str(block)))
    return [
        Step(step.command, step.expected, step.place, fails=following.command == _EXIT_CODE)
        for step, following in zip(steps, [*steps[1:], Step("", "", "")], strict=True)
    ]


def play(
    steps: Sequence[Step], where: Path, environment: Mapping[str, str], *, wrapper: Sequence[str] = ()
) -> list[Outcome]:
    """What each step came to, run one after the other by one shell that starts in the directory `where`.

    `wrapper` are the words in front of the shell's own, such as those that take the network away.
    """
    script = where.parent / "session.sh"
    lines = [step.command + "\nended" for step in steps]
    script.write_text(_PREAMBLE.format(python=shlex.quote(sys.executable)) + "\n".join(lines) + "\n", encoding="utf-8")
    words = [*wrapper, "bash", "--norc", str(script)]
    ran = subprocess.run(words, cwd=where, env=dict(environment), stdout=subprocess.PIPE, check=False, timeout=300)
    parts = _ENDED.split(ran.stdout)
    return [
        Outcome(printed.decode("utf-8", "backslashreplace"), int(code))
        for printed, code in zip(parts[:-1:2], parts[1::2], strict=True)
    ]


def agrees(expected: str, printed: str) -> bool:
    """Whether that is what the page says; see the head of this module."""
    wanted = "".join(_pattern(line) for line in expected.rstrip("\n").split("\n"))
    return re.fullmatch(wanted, _settled(printed.rstrip("\n")) + "\n") is not None


def _pattern(line: str) -> str:
    return "(?:.*\n)*" if line == "..." else re.escape(_settled(line)).replace(r"\.\.\.", ".*") + "\n"


def _settled(line: str) -> str:
    """The line with the kind of each commit id and time in its place."""
    return _VARYING.sub(lambda found: f"<{found.lastgroup}>", line)


def _commands(block: Block) -> list[Step]:
    assert block.text.startswith("$ "), f"{block} does not begin with a command"
    found = re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]
    split = (each.partition("\n") for each in found)
    return [Step(command, expected, f"{block}: {command}") for command, _, expected in split]


def _writing(file: str, text: str) -> str:
    return f"cat > {shlex.quote(file)} <<'END OF FILE'\n{text}END OF FILE"
