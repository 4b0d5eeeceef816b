"""A real OpenSSH server on loopback that serves git repositories to one key and writes down every command."""

from __future__ import annotations

import os
import pwd
import shlex
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.real.components import require
from tests.real.ssh_keys import an_ssh_key


@dataclass(frozen=True, slots=True)
class SshServer:
    """A running server. `ssh_command` is what GIT_SSH_COMMAND must be: it knows port, key and host key."""

    port: int
    user: str
    known_hosts: Path
    identity: Path
    ssh_command: str
    _command_log: Path

    def url(self, repository: Path) -> str:
        """`repository` as an ssh:// URL."""
        return f"ssh://{self.user}@127.0.0.1:{self.port}{repository}"

    def short_url(self, repository: Path) -> str:
        """`repository` in the short form, user@host:path; the port comes from `ssh_command`."""
        return f"{self.user}@127.0.0.1:{repository}"

    @property
    def commands(self) -> list[str]:
        """What clients asked to run so far, such as `git-upload-pack '/repositories/rules.git'`."""
        return self._command_log.read_text(encoding="utf-8").splitlines() if self._command_log.exists() else []


@contextmanager
def serve_ssh(directory: Path) -> Iterator[SshServer]:
    """A server on a free port of 127.0.0.1, run by and for the user of this process; stopped at the end of the block.

    Keys, configuration and log lie in `directory`; nothing under /etc/ssh or ~/.ssh is read. Each connection gets an
    sshd of its own (`sshd -i`), so that the port is bound before anyone is told of it.
    """
    sshd = require("sshd")
    require("ssh")
    directory.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # compiled in; made by the service that never ran here
    log = directory / "sshd.log"

    class Connection(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            command: list[str | Path] = [sshd, "-i", "-e", "-f", directory / "sshd_config"]
            with log.open("ab") as log_file:
                subprocess.run(command, stdin=self.request, stdout=self.request, stderr=log_file, check=False)

    with _Listener(("127.0.0.1", 0), Connection) as listener:
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield _prepare(directory, listener.server_address[1])
        finally:
            listener.shutdown()
            thread.join()
            if log.exists():
                print(log.read_text(encoding="utf-8", errors="replace"), file=sys.stderr)  # shown when the test fails


class _Listener(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64


def _prepare(directory: Path, port: int) -> SshServer:
    """Writes everything that server and client read."""
    host_key = an_ssh_key(directory / "host_key")
    user_key = an_ssh_key(directory / "user_key")
    user = pwd.getpwuid(os.getuid()).pw_name
    command_log = directory / "commands.log"
    (directory / "authorized_keys").write_text(f"{user_key.public}\n", encoding="utf-8")
    (directory / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key.public}\n", encoding="utf-8")
    (directory / "git_only").write_text(_git_only(command_log), encoding="utf-8")
    (directory / "sshd_config").write_text(_server_configuration(directory), encoding="utf-8")
    (directory / "ssh_config").write_text(_client_configuration(directory, port), encoding="utf-8")
    return SshServer(
        port=port,
        user=user,
        known_hosts=directory / "known_hosts",
        identity=user_key.private,
        ssh_command=f"ssh -F {shlex.quote(str(directory / 'ssh_config'))}",
        _command_log=command_log,
    )


def _server_configuration(directory: Path) -> str:
    return f"""\
HostKey {directory}/host_key
AuthorizedKeysFile {directory}/authorized_keys
AuthenticationMethods publickey
PermitRootLogin prohibit-password
PidFile none
StrictModes no
UsePAM no
AcceptEnv GIT_PROTOCOL
SetEnv GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null
ForceCommand sh {shlex.quote(str(directory / "git_only"))}
"""


def _client_configuration(directory: Path, port: int) -> str:
    return f"""\
Host 127.0.0.1
    Port {port}
    IdentityFile {directory}/user_key
    IdentitiesOnly yes
    IdentityAgent none
    UserKnownHostsFile {directory}/known_hosts
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    BatchMode yes
"""


def _git_only(command_log: Path) -> str:
    """A shell script: notes the command a client asked for, and runs it if it is one of git's."""
    return f"""\
printf '%s\\n' "$SSH_ORIGINAL_COMMAND" >> {shlex.quote(str(command_log))}
exec git shell -c "$SSH_ORIGINAL_COMMAND"
"""
