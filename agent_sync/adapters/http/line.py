"""The connections of one fetch, which another thread can cut at any moment."""

from __future__ import annotations

import contextlib
import socket
import threading


class Line:
    """Every socket that the fetch has opened."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._is_cut = False

    def add(self, connection: socket.socket) -> None:
        """`connection` is cut with the others; at once if they already are.

        A duplicate is kept, because the owner closes the original or hands it over to TLS; a shutdown reaches both.
        """
        with self._lock:
            self._sockets.append(connection.dup())
            if self._is_cut:
                self._cut()

    def hang_up(self) -> None:
        """Whoever reads or writes on one of the connections fails now."""
        with self._lock:
            self._is_cut = True
            self._cut()

    def _cut(self) -> None:
        for each in self._sockets:
            with contextlib.suppress(OSError):  # it was over already
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._sockets.clear()
