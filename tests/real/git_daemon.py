"""A real git daemon on loopback: repositories over git://, which proves nothing and hides nothing."""

from __future__ import annotations

import os
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.real.components import require


@contextmanager
def serve_daemon(directory: Path) -> Iterator[str]:
    """The address of every repository below `directory`, without the last slash; one process serves each connection."""
    git = require("git")
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}
    words: list[str | Path] = [git, "daemon", "--inetd", "--export-all", f"--base-path={directory}", directory]

    class Connection(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            subprocess.run(
                words,
                stdin=self.request,
                stdout=self.request,
                stderr=subprocess.DEVNULL,
                env=environment,
                check=False,
            )

    with _Listener(("127.0.0.1", 0), Connection) as listener:
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"git://127.0.0.1:{listener.server_address[1]}"
        finally:
            listener.shutdown()
            thread.join()


class _Listener(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
