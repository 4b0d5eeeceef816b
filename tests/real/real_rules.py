"""The real rules as a git repository: tags v1.0.0 and v2.0.0, some eight hundred Markdown files each."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.builders.repositories import GitRepository
from tests.real.components import require, require_real_rules


def the_real_rules(path: Path) -> GitRepository:
    """A bare clone at `path` of the bundle that REAL_RULES names; without it the test does not run."""
    git = require("git")
    bundle = require_real_rules()
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run([git, "clone", "--quiet", "--bare", bundle, path], env=environment, check=True)
    return GitRepository(path)
