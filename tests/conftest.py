"""What every test stands on: a machine without settings, a home of its own, and no way out but loopback."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path

import hypothesis
import pytest

from tests.builders.environment import a_clean_environment
from tests.loopback import stay_on_loopback

pytest_plugins = ["tests.real.fixtures"]

_MACHINE = dict(os.environ)
_numbers = itertools.count()

# The same examples on every machine and in every run; a new one enters as a test of its own.
hypothesis.settings.register_profile("same-everywhere", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("same-everywhere")


def pytest_sessionstart() -> None:
    stay_on_loopback()
    # A shell's background job ignores it, and so would every program that a test starts and interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def a_clean_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Whatever a session fixture starts sees the machine without its user's settings."""
    _become(a_clean_environment(tmp_path_factory.mktemp("home"), _MACHINE))
    yield
    _become(_MACHINE)


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The HOME of this one test: an empty directory, removed afterwards; the environment is as it was, too."""
    before = dict(os.environ)
    directory = tmp_path_factory.getbasetemp() / "homes" / str(next(_numbers))
    directory.mkdir(parents=True)
    _become(a_clean_environment(directory, before))
    yield directory
    _become(before)
    shutil.rmtree(directory, ignore_errors=True)


def _become(environment: Mapping[str, str]) -> None:
    pytest_own = {name: value for name, value in os.environ.items() if name.startswith("PYTEST_")}
    os.environ.clear()
    os.environ.update({**environment, **pytest_own})
