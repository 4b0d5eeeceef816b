"""A certificate authority that only the tests trust, and the server side of TLS under it."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True, slots=True)
class Authority:
    """`ca_file`: the PEM file a client has to trust; `server`: TLS for 127.0.0.1, localhost and other.localhost, whose
    key and certificate are in `server_file` as well.
    """

    ca_file: Path
    server: ssl.SSLContext
    server_file: Path


def an_authority(directory: Path) -> Authority:
    """A new authority whose certificate lies in `directory`."""
    authority = trustme.CA()
    ca_file = directory / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued = authority.issue_cert("127.0.0.1", "localhost", "other.localhost")
    issued.configure_cert(server)
    server_file = directory / "server.pem"
    issued.private_key_and_cert_chain_pem.write_to_path(str(server_file))
    return Authority(ca_file, server, server_file)
