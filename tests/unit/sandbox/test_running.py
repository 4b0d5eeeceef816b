"""Custom commands that behave: they see their input, fill their output, and nothing that they need is missing."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator

import pytest

from tests.builders.commands import EVERY_BENCH, Bench, a_bench_for, named


@pytest.fixture(params=EVERY_BENCH, ids=named)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    yield from a_bench_for(*request.param)


def outputs(bench: Bench) -> dict[str, tuple[str, bool]]:
    """Path -> content and executable bit of every file of the output."""
    return {
        str(path.relative_to(bench.output)): (path.read_text(), bool(path.stat().st_mode & stat.S_IXUSR))
        for path in bench.output.rglob("*")
        if path.is_file()
    }


def test_a_script_of_the_project_transforms_the_files(bench: Bench) -> None:
    script = """#!/bin/sh
set -eu
. "$(dirname "$0")/lib/words.sh"
find . -name '*.md' | sort | while read -r file; do
    mkdir -p "$AGENT_SYNC_OUTPUT/$(dirname "$file")"
    sed "s/$from/$1/" "$file" > "$AGENT_SYNC_OUTPUT/$file"
done
cat a.md sub/b.md | sort -r > "$AGENT_SYNC_OUTPUT/all.txt"
chmod +x "$AGENT_SYNC_OUTPUT/all.txt"
echo "in $(pwd)" >&2
"""
    bench.write({"program/scripts/merge.sh": script}, mode=0o755)
    bench.write({"program/scripts/lib/words.sh": "from=first\n"})
    outcome = bench.run("./scripts/merge.sh", "a word")
    assert (outcome.exit_code, outcome.printed) == (0, f"in {bench.scratch}/input\n")
    assert outputs(bench) == {
        "a.md": ("a word\n", False),
        "sub/b.md": ("second\n", False),
        "all.txt": ("second\nfirst\n", True),
    }


def test_the_usual_ways_to_copy_a_tree_keep_the_executable_bit(bench: Bench) -> None:
    bench.write({"input/run.sh": "#!/bin/sh\n"}, mode=0o755)
    expected = {"a.md": ("first\n", False), "sub/b.md": ("second\n", False), "run.sh": ("#!/bin/sh\n", True)}
    python = 'import os, shutil; shutil.copytree(".", os.environ["AGENT_SYNC_OUTPUT"], dirs_exist_ok=True)'
    installing = """
        cd "$AGENT_SYNC_OUTPUT"; mkdir sub
        install -m 755 "$OLDPWD/run.sh" .; install -m 644 "$OLDPWD/a.md" ./
        install -m 644 "$OLDPWD/sub/b.md" ./sub/../sub/b.md"""
    for words in (
        ("sh", "-ec", 'cp -R . "$AGENT_SYNC_OUTPUT"'),
        ("sh", "-ec", 'cp -a . "$AGENT_SYNC_OUTPUT"'),
        ("sh", "-ec", 'tar -cf - . | tar -xpf - -C "$AGENT_SYNC_OUTPUT"'),
        ("sh", "-ec", 'cp -pR . "$HOME/copy" && mv "$HOME/copy/"* "$AGENT_SYNC_OUTPUT"'),
        ("sh", "-ec", 'cd "$AGENT_SYNC_OUTPUT" && cp -R "$OLDPWD"/* . && sed -i s/x/x/ a.md && touch -d @1 sub/b.md'),
        ("sh", "-ec", installing),
        ("python3", "-c", python),
    ):
        outcome = bench.run(*words)
        assert (outcome.exit_code, outcome.printed) == (0, ""), words
        assert outputs(bench) == expected, words
        shutil.rmtree(bench.output)
        bench.output.mkdir()
        bench.hand_over()


def test_permissions_and_times_inside_are_what_the_command_makes_them(bench: Bench) -> None:
    script = """
import os, stat
os.chdir(os.environ["AGENT_SYNC_OUTPUT"])
open("file", "w").close()
def mode():
    return oct(stat.S_IMODE(os.stat("file").st_mode))
os.chmod("file", 0o755); print(mode())
opened = os.open("file", os.O_RDONLY)
os.fchmod(opened, 0o4711); print(mode())
directory = os.open(".", os.O_PATH)
os.chmod("file", 0o600, dir_fd=directory); print(mode())
os.chmod("file", 0); print(mode())
os.utime("file", (5, 7)); print(os.stat("file").st_atime, os.stat("file").st_mtime)
os.utime(opened, ns=(1, 2)); print(os.stat("file").st_mtime_ns)
os.symlink("file", os.environ["HOME"] + "/link")
os.utime(os.environ["HOME"] + "/link", (1, 1), follow_symlinks=False)
os.chown("file", 12345, 12345); print(os.stat("file").st_uid == os.getuid())
"""
    outcome = bench.run("python3", "-c", script)
    assert (outcome.exit_code, outcome.printed.split()) == (
        0,
        ["0o755", "0o711", "0o600", "0o600", "5.0", "7.0", "2", "True"],  # no setuid; never closed to its owner
    )


def test_the_exit_status_and_the_signal_are_told_with_what_was_printed(bench: Bench) -> None:
    outcome = bench.run("sh", "-c", "echo out; echo problem >&2; exit 3")
    assert (outcome.exit_code, outcome.printed) == (3, "out\nproblem\n")
    assert bench.run("sh", "-c", "kill -TERM $$").exit_code == -15


def test_shells_pipes_here_documents_and_temporary_files_work(bench: Bench) -> None:
    script = """
set -euo pipefail
diff <(sort a.md) a.md
cat <<END > /dev/stdout
here
END
name=$(mktemp); echo "${name%/*}" | grep -qx "$HOME"
head -c 2000000 /dev/urandom | sort -S 100k > /dev/null
timeout 5 true; sleep 0.01 & wait
command -v python3 >/dev/null && python3 - <<END
import concurrent.futures, subprocess, tempfile
with concurrent.futures.ThreadPoolExecutor() as pool:
    print(sum(pool.map(len, ["a", "b"])), subprocess.run(["cat", "a.md"], capture_output=True).stdout)
tempfile.TemporaryDirectory().cleanup()
END
"""
    outcome = bench.run("bash", "-c", script)
    assert (outcome.exit_code, outcome.printed) == (0, "here\n2 b'first\\n'\n")


@pytest.mark.parametrize(
    "words",
    [
        ("perl", "-e", 'chmod(0755, glob("$ENV{AGENT_SYNC_OUTPUT}/*")); print "fine"'),
        ("awk", "END { print NR }", "a.md", "sub/b.md"),
        ("jq", "-n", "{a: 1}"),
        ("node", "-e", 'console.log(require("child_process").execSync("echo fine").toString())'),
    ],
    ids=lambda words: words[0],
)
def test_other_interpreters_start(bench: Bench, words: tuple[str, ...]) -> None:
    if not os.access(f"/usr/bin/{words[0]}", os.X_OK):
        pytest.skip(f"{words[0]} is not installed here")
    outcome = bench.run(*words)
    assert outcome.exit_code == 0, outcome.printed


def test_a_private_home_is_there_and_gone_afterwards(bench: Bench) -> None:
    outcome = bench.run(
        "sh", "-ec", 'mkdir "$HOME/.config"; ln -s x "$HOME/link"; mkfifo "$TMPDIR/fifo"; ls -A "$HOME"'
    )
    assert outcome.printed == ".config\nfifo\nlink\n"
    assert sorted(each.name for each in bench.scratch.iterdir()) == ["input", "output", "outside", "program"]


def test_the_wall_of_namespaces_stands_where_it_is_wanted(bench: Bench) -> None:
    names = ("user", "net", "mnt", "ipc", "uts")
    outcome = bench.run("readlink", *(f"/proc/self/ns/{name}" for name in names))
    ours = [os.readlink(f"/proc/self/ns/{name}") for name in names]
    same = [name for name, mine, its in zip(names, ours, outcome.printed.split(), strict=True) if mine == its]
    if bench.walls.namespaces and same:
        pytest.skip("this machine lets this user make no namespaces")
    assert same == ([] if bench.walls.namespaces else list(names))
