"""Run a custom command in the sandbox: a source's files in, the directory that it filled out (spec §6.3)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from agent_sync.errors import ConfigInvalid, DigestMismatch, FileSystemError, TransformFailed, UnsafePath
from agent_sync.events import CommandOutput
from agent_sync.limits import Limits
from agent_sync.ports import Command, Contents, Directory, Kind, Stat, World
from agent_sync.sources.local import find_files, pack_directory
from agent_sync.tree import RelPath, Tree, join, safe_path
from agent_sync.tree.names import project_path
from agent_sync_oci.text import printable_line, quoted

if TYPE_CHECKING:
    from agent_sync.config.model import CustomTransform
    from agent_sync.sources.content import PackedTree

_MAX_LINES, _MAX_COLUMNS = 10, 200  # of what a command printed last: the end says most; --verbose shows all
_INPUT, _OUTPUT, _PROGRAM = RelPath("input"), RelPath("output"), RelPath("program")


def run_command(
    transform: CustomTransform, tree: Tree, contents: Contents, world: World, *, limits: Limits
) -> PackedTree:
    """Run the command over `tree`, and return its output directory, packed.

    Raises:
        TransformFailed: the command exited non-zero, or cannot be sandboxed here; what it printed is in the error.
        DigestMismatch: `output_hash` is given and the canonical tar of the output has another digest.
        LimitExceeded, Cancelled, ConfigInvalid.
    """
    subject = f"source {transform.source}, command {quoted(transform.command)}"
    # Scratch is in the cache and not in the project, and is removed in any case.
    with world.scratch() as scratch:
        _prepare_directories(scratch, transform, tree, contents, world)
        command = Command(
            argv=transform.words,
            program_directory=scratch.below(_PROGRAM).name,
            input=scratch.below(_INPUT).name,
            output=scratch.below(_OUTPUT).name,
            timeout_s=limits.command_timeout_s,
            max_output_bytes=limits.max_source_size,
            max_files=limits.max_files,
        )
        finished = world.runner.run(command, cancellation=world.cancellation)
        # Announced before the exit code is judged: with --verbose the whole output is shown, not only its end.
        if finished.printed:
            world.observer(CommandOutput(transform.source, finished.printed))
        if finished.exit_code != 0:
            remedy = _misplaced_script(transform, world.project)
            raise _failed(subject, finished.exit_code, finished.printed, remedy=remedy)
        output = scratch.below(_OUTPUT)
        # The walk refuses links and devices: what the command left is as hostile as any source.
        files = find_files(output, subject=f"{subject}, output", limits=limits)
        packed = pack_directory(output, files, world, subject=f"{subject}, output")
    _refuse_other_output(transform, packed, subject)
    return packed


def program_files(transform: CustomTransform, project: Directory) -> Iterator[tuple[RelPath, Stat]]:
    """Yield every file of the project that the command may run or read, with what the file system says of it.

    These are its first word, if that is a path, and everything below `reads`.

    Raises: ConfigInvalid if one of them is missing, UnsafePath if one is a link or outside of the project.
    """
    subject = f"custom transform of source {transform.source}"
    first = transform.words[0]
    # A word without a slash is looked up in PATH, in the sandbox: it is no file of the project.
    program = [project_path(first, subject=subject)] if "/" in first else []
    for path in sorted({*program, *transform.reads}):
        stat = project.stat(path)
        if stat is None:
            check = f"{quoted(path)} is missing from the project"
            part = ("command",) if path in program else ("reads", transform.reads.index(path))
            raise ConfigInvalid(subject=subject, check=check, remedy="correct `command:` or `reads:`", part=part)
        if stat.kind is Kind.DIRECTORY:
            below = find_files(project.below(path), subject=f"{subject}, {path}", limits=Limits())
            yield from ((join(path, key), found) for key, found in below)
        else:
            yield path, stat


def _prepare_directories(
    scratch: Directory, transform: CustomTransform, tree: Tree, contents: Contents, world: World
) -> None:
    """Fill the directories of the command: input, empty output, and copies of its program.

    They are copies because the child never sees the project itself.
    """
    for directory in (_INPUT, _OUTPUT, _PROGRAM):
        scratch.make_directory(directory)
    for key, entry in tree.items():
        scratch.create(join(_INPUT, key), contents.chunks(entry.sha256), executable=entry.executable)
    for path, stat in program_files(transform, world.project):
        with world.project.open(path) as file:
            scratch.create(join(_PROGRAM, path), iter(lambda: file.read(1 << 20), b""), executable=stat.executable)


def _misplaced_script(transform: CustomTransform, project: Directory) -> str | None:
    """Return what to do about a script that is not the first word, as in `python3 x.py`; None if there is none."""
    for word in transform.words[1:]:
        with suppress(UnsafePath, FileSystemError):
            if project.stat(safe_path(word.removeprefix("./"), subject=word)) is not None:
                return (
                    f"{quoted(word)} is looked up among the source's files, not in the project: make it the first word,"
                    " executable, with `#!` and its interpreter in the first line"
                )
    return None


def _failed(subject: str, exit_code: int, printed: str, *, remedy: str | None) -> TransformFailed:
    how = f"exited with {exit_code}" if exit_code > 0 else f"ended by signal {-exit_code}"
    last = _last_lines(printed)
    by_hand = "run the command by hand on the source's files, or see --verbose"
    return TransformFailed(
        subject=subject,
        check=f"{how}; last output:\n{last}" if last else how,
        remedy=remedy or by_hand,
        part=("command",),
    )


def _last_lines(printed: str) -> str:
    """Return the last lines that the command printed, fit for a terminal."""
    lines = printed.strip().splitlines()[-_MAX_LINES:]
    return "\n".join(printable_line(line.expandtabs(), longest=_MAX_COLUMNS) for line in lines)


def _refuse_other_output(transform: CustomTransform, packed: PackedTree, subject: str) -> None:
    if transform.output_hash is not None and transform.output_hash != packed.blob:
        raise DigestMismatch(
            subject=subject,
            check=f"the canonical tar of the output is {packed.blob}, output_hash says {transform.output_hash}",
            remedy="if the new output is wanted, put its digest under `output_hash:`",
            part=("output_hash",),
        )
