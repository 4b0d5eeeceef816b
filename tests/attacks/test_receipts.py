"""What somebody may do to have an old answer repeated: each change is seen by the next command, however it was made."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.builders.command_line import CommandMachine, Ran, a_local_machine

COMMANDS = ("check", "status", "sync")
OUTPUT = ".cursor/rules/a.md"


def repeats(machine: CommandMachine, *words: str, **variables: str) -> bool:
    """Whether the program answers from a receipt, which is to say: without having loaded its command line."""
    ended = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "agent_sync", *words],
        cwd=machine.project,
        env={**os.environ, "HOME": str(machine.home), **machine.variables, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=120,
    )
    loaded = {line.rpartition(b"|")[2].strip() for line in ended.stderr.splitlines()}
    assert b"agent_sync.receipt.replay" in loaded, ended.stderr
    return b"typer" not in loaded


def answer(machine: CommandMachine, *words: str) -> Ran:
    """What the command says, whatever its exit code is."""
    return machine.run(*words, expect=None)


@pytest.fixture
def machine(tmp_path: Path) -> CommandMachine:
    """Everything is in sync, and each command has said so, long enough after."""
    machine = a_local_machine(tmp_path, OVERRIDES, a_md="aaaa\n", b_md="bbbb\n")
    machine.put("extra.md", "more\n")
    machine.lock_and_sync()
    for command in COMMANDS:
        machine.run(command)
        assert repeats(machine, command)
    return machine


OVERRIDES = """
overrides:
  - {target: b.md, strategy: append, file: extra.md}
"""


# -- an old answer to a new state ------------------------------------------------------------------------------------


def test_what_nobody_touches_is_answered_alike_and_at_once(machine: CommandMachine) -> None:
    for command in COMMANDS:
        first, second = answer(machine, command), answer(machine, command)
        assert first == second
        assert first.code == 0
        assert repeats(machine, command)


def _write(path: Path) -> None:
    path.write_text("AAAA\n")


def _write_and_set_the_times_back(path: Path) -> None:
    before = path.stat()
    path.write_text("AAAA\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _write_through_a_hard_link(path: Path) -> None:
    other = path.with_suffix(".other")
    os.link(path, other)
    other.write_text("AAAA\n")
    other.unlink()


def _replace_by_a_file_as_old_and_as_long(path: Path) -> None:
    before = path.stat()
    other = path.with_suffix(".other")
    other.write_text("AAAA\n")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)


def _replace_by_a_link(path: Path) -> None:
    moved = path.parents[2] / "moved.md"
    path.rename(moved)
    path.symlink_to(moved)


def _replace_by_a_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _swap_its_directory_for_a_link(path: Path) -> None:
    moved = path.parents[2] / "moved"
    path.parent.rename(moved)
    path.parent.symlink_to(moved)


def _swap_a_directory_further_up_for_a_link(path: Path) -> None:
    moved = path.parents[2] / "moved"
    path.parents[1].rename(moved)
    path.parents[1].symlink_to(moved)


def _make_executable(path: Path) -> None:
    path.chmod(0o755)


CHANGES = (
    *(_write, _write_and_set_the_times_back, _write_through_a_hard_link, _replace_by_a_file_as_old_and_as_long),
    *(_replace_by_a_link, _replace_by_a_fifo, _swap_its_directory_for_a_link, _swap_a_directory_further_up_for_a_link),
    *(_make_executable, Path.unlink),
)


@pytest.mark.parametrize("change", CHANGES)
def test_an_output_that_is_touched_is_looked_at_by_the_full_program(
    machine: CommandMachine, change: Callable[[Path], None]
) -> None:
    before = {command: answer(machine, command) for command in COMMANDS}
    change(machine.project / OUTPUT)
    for command in COMMANDS:  # sync last: it mends
        assert answer(machine, command) != before[command], command


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("path", ["agent-sync.yaml", "agent-sync.lock", "extra.md", ".agent-sync/applied.lock", OUTPUT])
def test_a_touch_of_anything_that_was_read_calls_for_a_full_run(
    machine: CommandMachine, command: str, path: str
) -> None:
    place = machine.project / path
    place.write_bytes(place.read_bytes())
    assert not repeats(machine, command)
    assert repeats(machine, command), "which leaves a receipt of its own"


def test_a_change_in_a_local_source_stops_a_sync(machine: CommandMachine) -> None:
    machine.put("rules/a.md", "AAAA\n")
    assert machine.run("sync", expect=4).out == ""
    machine.put("rules/a.md", "aaaa\n")
    assert machine.run("sync").code == 0
    machine.put("rules/new.md", "new\n")
    assert machine.run("sync", expect=4).out == ""


def test_a_new_file_in_a_directory_that_is_ours_is_found(machine: CommandMachine) -> None:
    machine.put(".cursor/rules/new.md", "new\n")
    assert ".cursor/rules/new.md" in machine.run("check", expect=1).out
    machine.put(".cursor/rules/deep/new.md", "new\n")
    assert ".cursor/rules/deep/new.md" in machine.run("check", expect=1).out


def test_a_configuration_that_was_not_there_before_counts(machine: CommandMachine) -> None:
    for command in COMMANDS:
        assert repeats(machine, command)
    user = machine.home / ".config" / "agent-sync" / "agent-sync.yaml"
    user.parent.mkdir(parents=True)
    user.write_text("version: 1\nsources:\n  - {name: mine, type: local, path: ./rules/}\n")
    for command in COMMANDS:
        assert not repeats(machine, command)
    assert "mine" in answer(machine, "status").said


def test_a_lock_for_the_users_own_layers_that_appears_counts(machine: CommandMachine) -> None:
    machine.put(".agent-sync/inherited.lock", "not a lock\n")
    for command in COMMANDS:
        machine.run(command, expect=4)


def test_an_interrupted_run_is_noticed(machine: CommandMachine) -> None:
    machine.put(".agent-sync/txn/journal", "not a journal\n")
    assert not repeats(machine, "sync")
    machine.run("sync", expect=15)


def test_a_variable_that_was_looked_at_counts_and_another_does_not(machine: CommandMachine, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.yaml"
    elsewhere.write_text("version: 1\n")
    for name, value in {
        "AGENT_SYNC_USER_CONFIG": str(elsewhere),
        "AGENT_SYNC_NO_INHERIT": "1",
        "AGENT_SYNC_OFFLINE": "1",
        "AGENT_SYNC_SOURCES": "{}",
        "NO_COLOR": "1",
    }.items():
        assert repeats(machine, "status")
        assert not repeats(machine, "status", **{name: value}), name
        machine.run("status")
    assert repeats(machine, "status", SOMETHING_ELSE="1")


def test_another_project_in_the_same_place_is_another_project(machine: CommandMachine) -> None:
    moved = machine.project.with_name("moved")
    machine.project.rename(moved)
    shutil.copytree(moved, machine.project, symlinks=True)
    for command in COMMANDS:
        assert not repeats(machine, command)


def test_a_project_that_a_link_leads_to_is_the_one_it_leads_to(machine: CommandMachine) -> None:
    other = machine.another("other")
    link = machine.project.parent / "link"
    link.symlink_to(machine.project)
    words = ("status", "--config", str(link / "agent-sync.yaml"))
    machine.run(*words)
    assert repeats(machine, *words)
    link.unlink()
    link.symlink_to(other.project)
    assert not repeats(machine, *words)
    assert "missing" in machine.run(*words).out or "pending" in machine.run(*words).out


# -- hashing ---------------------------------------------------------------------------------------------------------


def test_check_hashes_every_output_even_then(machine: CommandMachine) -> None:
    """A receipt whose keys all hold, for bytes that are not those it was made of: a disk that lies, say."""
    for command, repeated in {"check": False, "status": True}.items():
        machine.run(command)
        _lie_about_the_output(machine)
        assert repeats(machine, command) == repeated, command


def _lie_about_the_output(machine: CommandMachine) -> None:
    """Each receipt that knows the output now says that it had other bytes."""
    from agent_sync.receipt.facts import from_bytes, to_bytes

    for path in (machine.home / ".cache" / "agent-sync" / "receipts").iterdir():
        receipt = from_bytes(path.read_bytes())
        receipt.started_ns = time.time_ns() + 10**10  # nothing is young
        for half in receipt.facts.halves:
            for table in (half.hashed, half.trusted):
                rows = table.digest_rows()
                table.digests = b"".join(bytes(32) if name.decode() == OUTPUT else digest for name, _, digest in rows)
        path.write_bytes(to_bytes(receipt))


def test_check_fast_and_status_use_what_was_hashed_and_check_does_not(machine: CommandMachine) -> None:
    """With every digest of the last receipt a lie, the full program shows whom it believes."""
    machine.run("status", "--json")
    _lie_about_the_output(machine)
    assert "drifted" in machine.run("status", "--verbose").out
    _lie_about_the_output(machine)
    machine.run("check", "--fast", expect=1)
    assert machine.run("check", "--verbose").code == 0


def test_a_file_changed_right_after_it_was_written_is_found(tmp_path: Path) -> None:
    """Within one tick of the file system's clock, and of the same length: what its times say proves nothing."""
    machine = a_local_machine(tmp_path, a_md="aaaa\n")
    machine.lock_and_sync()
    for text in ("AAAA\n", "bbbb\n", "cccc\n", "dddd\n"):
        machine.run("sync")
        machine.run("status")
        (machine.project / OUTPUT).write_text(text)
        assert "drifted" in machine.run("status").out
        machine.run("check", expect=1)


# -- whose receipt ---------------------------------------------------------------------------------------------------


def _receipts(machine: CommandMachine) -> Path:
    return machine.home / ".cache" / "agent-sync" / "receipts"


def _for_everybody(directory: Path) -> None:
    directory.chmod(0o777)


def _a_link(directory: Path) -> None:
    moved = directory.with_name("moved")
    directory.rename(moved)
    directory.symlink_to(moved)


def _receipts_for_everybody(directory: Path) -> None:
    for path in directory.iterdir():
        path.chmod(0o666)


def _receipts_cut_short(directory: Path) -> None:
    for path in directory.iterdir():
        os.truncate(path, path.stat().st_size - 1)


def _receipts_with_a_flipped_bit(directory: Path) -> None:
    for path in directory.iterdir():
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)


def _receipts_that_could_be_executed(directory: Path) -> None:
    for path in directory.iterdir():
        path.write_bytes(b"cos\nsystem\n(S'touch executed'\ntR.")


def _somebody_elses(directory: Path) -> None:
    os.chown(directory, 65534, 65534)


@pytest.mark.parametrize(
    "tamper",
    [
        *(_for_everybody, _a_link, _receipts_for_everybody, _receipts_cut_short, _receipts_with_a_flipped_bit),
        _receipts_that_could_be_executed,
        pytest.param(_somebody_elses, marks=pytest.mark.skipif(os.geteuid() != 0, reason="only root gives away")),
    ],
)
def test_a_receipt_that_somebody_else_could_have_written_is_not_believed(
    machine: CommandMachine, tamper: Callable[[Path], None]
) -> None:
    before = answer(machine, "status")
    tamper(_receipts(machine))
    assert not repeats(machine, "status")
    assert answer(machine, "status") == before
    assert not machine.exists("executed")


def test_nobody_else_can_read_what_a_project_holds(machine: CommandMachine) -> None:
    directory = _receipts(machine)
    assert directory.stat().st_mode & 0o7777 == 0o700
    assert {path.stat().st_mode & 0o7777 for path in directory.iterdir()} == {0o600}


# -- what leaves no receipt ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [("check", "--deep"), ("sync", "--dry-run"), ("diff",), ("info",), ("verify",)])
def test_what_is_to_be_done_anew_each_time_leaves_none(tmp_path: Path, words: tuple[str, ...]) -> None:
    machine = a_local_machine(tmp_path)
    machine.lock_and_sync()
    machine.run(*words)
    assert not _receipts(machine).exists()


def test_what_fails_finds_drift_or_writes_leaves_none(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path)
    machine.run("check", expect=4)
    machine.lock_and_sync()
    machine.put(OUTPUT, "edited\n")
    machine.run("check", expect=1)
    machine.run("sync")
    machine.run("status", "nonsense", expect=2)
    assert not _receipts(machine).exists()


def test_check_deep_does_not_look_for_one(machine: CommandMachine) -> None:
    assert not repeats(machine, "check", "--deep")
    assert not repeats(machine, "check", "--deep")


def test_a_cache_that_cannot_be_written_costs_the_receipt_and_nothing_else(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path)
    machine.lock_and_sync()
    _receipts(machine).symlink_to(tmp_path)
    for command in COMMANDS:
        assert answer(machine, command) == answer(machine, command)
        assert not repeats(machine, command)


# -- to whom it is said ----------------------------------------------------------------------------------------------
