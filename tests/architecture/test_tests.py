"""What the tests themselves stand on: a machine without settings, and no way off it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders.environment import a_clean_environment


def test_a_setting_of_the_machine_does_not_reach_a_test(tmp_path: Path) -> None:
    settings = {
        "AGENT_SYNC_CACHE": "/elsewhere",
        "GIT_DIR": "/elsewhere",
        "HTTPS_PROXY": "http://proxy.example",
        "LANG": "de_DE.UTF-8",
        "PATH": "/usr/bin",
        "REAL_RULES": "/rules.bundle",
        "SSH_AUTH_SOCK": "/agent",
        "XDG_CONFIG_HOME": "/elsewhere",
    }
    clean = a_clean_environment(tmp_path, settings)
    assert settings.keys() & clean.keys() == {"PATH", "REAL_RULES"}
    assert clean["HOME"] == str(tmp_path)
    assert clean["PATH"].endswith(":/usr/bin")


def test_a_clean_environment_stays_as_it_is(tmp_path: Path) -> None:
    once = a_clean_environment(tmp_path, {"PATH": "/usr/bin", "EDITOR": "vi"})
    assert a_clean_environment(tmp_path, once) == once


def test_home_is_new_and_empty_and_a_child_sees_it(home: Path) -> None:
    shown = subprocess.run(
        [sys.executable, "-c", "import os; print(os.path.expanduser('~'))"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert shown.stdout.strip() == os.environ["HOME"] == str(home)
    assert list(home.iterdir()) == []


def test_no_name_off_this_machine_is_looked_up() -> None:
    with pytest.raises(socket.gaierror, match="stay on loopback"):
        socket.create_connection(("example.org", 443), timeout=1)


def test_no_address_off_this_machine_is_connected_to() -> None:
    with socket.socket() as attempt, pytest.raises(ConnectionRefusedError, match="stay on loopback"):
        attempt.connect(("192.0.2.1", 9))


def test_loopback_is_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(("localhost", server.getsockname()[1]), timeout=5).close()
