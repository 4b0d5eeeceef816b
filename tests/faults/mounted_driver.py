"""Run in a mount namespace by test_apply_mounts.py: projects of which one directory lies on a file system of its
own.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.builders.checkouts import AFTER, BEFORE, EDIT, EDITED
from tests.faults.injected import Injected, Moment
from tests.faults.test_apply import NEW, OLD, changing, sampled, the_checkout


def make(place: Path, name: str, mounted: str) -> Path:
    """A project in which BEFORE was written and one file edited since."""
    project = place / name
    (project / mounted).mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "none", project / mounted], check=True)
    the_checkout(project).sync(BEFORE)
    (project / EDITED).write_text(EDIT)
    return project


def check(project: Path, mounted: str) -> bool:
    """Whether it is all; it must be that, or nothing. The mounted directory stays when it is empty."""
    checkout = the_checkout(project)
    targets = {path: text for path, text in checkout.targets().items() if path != f"{mounted}/"}
    assert targets in (OLD, NEW), targets
    assert checkout.kept == ({EDITED: EDIT} if targets == NEW else {}), checkout.kept
    return targets == NEW


def main(place: Path, mounted: str, count: int) -> None:
    injected = Injected(place)
    first = make(place, "first", mounted)
    moments: list[Moment] = changing(injected.moments("sync", first))
    assert check(first, mounted)
    at = {make(place, str(moment), mounted): moment for moment in sampled(moments, count)}
    injected.kill("sync", at)
    for project in at:
        the_checkout(project).recover()
        check(project, mounted)
        the_checkout(project).sync(AFTER)
        assert check(project, mounted)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
