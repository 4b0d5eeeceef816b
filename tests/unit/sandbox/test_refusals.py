"""Commands that cannot be run at all: which error, and what it tells the user to do."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.builders.commands import EVERY_BENCH, Bench, a_bench, a_bench_for, clear


@pytest.fixture
def bench() -> Iterator[Bench]:
    yield from a_bench_for(*EVERY_BENCH[0])


@pytest.mark.parametrize("first", ["../outside/run.sh", "/usr/bin/sort", "./../../etc/passwd", "link/run.sh", "./"])
def test_a_program_outside_the_project_is_refused(bench: Bench, first: str) -> None:
    bench.write({"outside/run.sh": "#!/bin/sh\n"}, mode=0o755)
    (bench.scratch / "program/link").symlink_to(bench.scratch / "outside")
    outcome = bench.run(first)
    assert outcome.error == "UnsafePath"
    assert "is not inside the project" in outcome.check


@pytest.mark.parametrize(
    ("files", "mode", "reason"),
    [
        ({}, 0o755, "No such file or directory"),
        ({"program/run.sh": "#!/bin/sh\n"}, 0o644, "Permission denied"),
        ({"program/run.sh": "echo\n"}, 0o755, "Exec format error"),
        ({"program/run.sh": "#!/nowhere/sh\n"}, 0o755, "No such file or directory"),
        ({"program/run.sh/file": ""}, 0o755, "Permission denied"),
    ],
)
def test_what_cannot_be_executed_is_named_with_the_reason(
    bench: Bench, files: dict[str, str], mode: int, reason: str
) -> None:
    bench.write(files, mode=mode)
    outcome = bench.run("./run.sh")
    assert (outcome.error, outcome.check) == ("TransformFailed", f"cannot be executed: {reason}")
    assert "chmod +x" in outcome.remedy


def test_an_interpreter_outside_the_system_directories_is_refused(bench: Bench) -> None:
    shutil.copy("/bin/sh", bench.scratch / "outside/sh")
    bench.write({"program/run.sh": f"#!{bench.scratch}/outside/sh\n"}, mode=0o755)
    outcome = bench.run("./run.sh")
    assert outcome.check == "cannot be executed: Permission denied"


@pytest.mark.parametrize("words", [(), ("",), ("sh", "-c", "a\0b")])
def test_what_is_no_command_is_refused(bench: Bench, words: tuple[str, ...]) -> None:
    assert bench.run(*words).check == "is not a command"


def test_a_program_that_is_not_installed_is_named(bench: Bench) -> None:
    outcome = bench.run("no-such-\x1bprogram")
    assert outcome.check == 'program "no-such-\\x1bprogram" not found in /usr/bin or /bin'


def test_a_scratch_directory_that_is_not_there_is_a_fault_of_the_file_system(bench: Bench) -> None:
    command = bench.command("true")
    shutil.rmtree(bench.scratch)
    assert bench.run_command(command).error == "FileSystemError"


def test_several_commands_run_at_once_from_several_threads() -> None:
    benches = [a_bench() for _ in range(4)]
    try:
        with ThreadPoolExecutor(4) as pool:
            script = 'sleep 0.2; pwd; echo x > "$AGENT_SYNC_OUTPUT/x"'
            found = list(pool.map(lambda bench: bench.run("sh", "-c", script), benches))
        assert [each.printed for each in found] == [f"{bench.scratch}/input\n" for bench in benches]
        assert [(bench.output / "x").read_text() for bench in benches] == ["x\n"] * 4
    finally:
        for bench in benches:
            clear(bench)
