"""Processes that apply plans and are interrupted by their user, or by each other."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent_sync.adapters.directory import DiskDirectory
from tests.builders.checkouts import ACheckout

_ROOT = Path(__file__).resolve().parents[2]
_MANY = 1500

INTERRUPTED = f"""
import sys
from agent_sync.adapters.directory import DiskDirectory
from tests.builders.checkouts import ACheckout
checkout = ACheckout(DiskDirectory(sys.argv[1]))
checkout.sync({{f"many/{{n % 50}}/{{n}}.md": "old" for n in range({_MANY})}})
plan = checkout.plan({{f"many/{{n % 50}}/{{n}}.md": "new" for n in range({_MANY})}})
print("ready", flush=True)
checkout.apply(plan)
"""

ALTERNATING = """
import sys
from agent_sync.adapters.directory import DiskDirectory
from tests.builders.checkouts import ACheckout
from tests.builders.trees import a_tree
name = sys.argv[2]
checkout = ACheckout(DiskDirectory(sys.argv[1]))
for round in range(15):
    with checkout.checkout.hold(wait_s=60):
        owner = (checkout.checkout.applied.read() or b"").decode()
        files = [(f"{directory}/{n}.md", n) for directory in ("a", "b") for n in range(20)]
        checkout.written = a_tree({path: f"{owner} {n}" for path, n in files})
        checkout.sync({path: f"{name} {n}" for path, n in files}, lock=name.encode())
"""


def start(script: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-B", "-c", script, *arguments],
        cwd=_ROOT,
        env={"PYTHONPATH": f"{_ROOT}:{_ROOT / 'oci'}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("delay_s", [0.05, 0.3])
def test_ctrl_c_pressed_twice_leaves_all_or_nothing(tmp_path: Path, delay_s: float) -> None:
    with start(INTERRUPTED, str(tmp_path)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        for _ in range(2):
            time.sleep(delay_s)
            process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    checkout = ACheckout(DiskDirectory(str(tmp_path)))
    checkout.recover()
    contents = list(checkout.targets().values())
    assert contents in (["old"] * _MANY, ["new"] * _MANY)


def test_processes_that_write_to_one_project_take_turns(tmp_path: Path) -> None:
    processes = [start(ALTERNATING, str(tmp_path), name) for name in ("one", "two", "three")]
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert (process.returncode, errors) == (0, "")
    checkout = ACheckout(DiskDirectory(str(tmp_path)))
    name = (checkout.checkout.applied.read() or b"").decode()
    assert checkout.targets() == {
        path: f"{name} {n}" for path, n in sorted((f"{directory}/{n}.md", n) for directory in "ab" for n in range(20))
    }
    assert not checkout.kept
