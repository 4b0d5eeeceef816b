"""A registry with the referrers API that other people wrote (tests/real/referrers_registry), on loopback."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.real.components import require


@contextmanager
def serve_go_registry() -> Iterator[str]:
    """What a reference to it begins with; everything is in its memory."""
    program = require("referrers-registry")
    with subprocess.Popen(
        [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={}
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().decode().strip()
        finally:
            process.kill()
