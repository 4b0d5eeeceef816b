"""Keeps this process on loopback: looking up or connecting to anything else fails, with or without a network."""

from __future__ import annotations

import ipaddress
import socket
import sys


def stay_on_loopback() -> None:
    """From here on, until the process ends, no socket of ours reaches another machine."""
    sys.addaudithook(_refuse_other_machines)


def _refuse_other_machines(event: str, arguments: tuple[object, ...]) -> None:
    if event == "socket.getaddrinfo" and not _is_here(arguments[0]):
        raise socket.gaierror(socket.EAI_NONAME, f"tests stay on loopback, and {arguments[0]!r} is elsewhere")
    if event == "socket.connect":
        address = arguments[1]
        if isinstance(address, tuple) and not _is_here(address[0]):
            raise ConnectionRefusedError(f"tests stay on loopback, and {address[0]!r} is elsewhere")


def _is_here(host: object) -> bool:
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if not isinstance(host, str) or host in ("", "localhost") or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
