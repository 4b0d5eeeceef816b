"""Commands without a network: in a namespace that has no interface, not even loopback."""

from __future__ import annotations

import os
import shutil
import subprocess

from tests.real.components import cannot_run


def without_network() -> tuple[str, ...]:
    """The words in front of a command that is to have no network; where the kernel does not allow it, a skip."""
    unshare = shutil.which("unshare")
    words = (unshare or "", "--net") if os.geteuid() == 0 else (unshare or "", "--net", "--map-root-user")
    if unshare is None or subprocess.run([*words, "true"], capture_output=True, check=False).returncode != 0:
        cannot_run("this machine does not let us make a network namespace (unshare --net)")
    return words
