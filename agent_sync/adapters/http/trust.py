"""Whose certificates count: those that the machine trusts, or the ones its environment names."""

from __future__ import annotations

import ssl
from collections.abc import Mapping

from agent_sync.errors import FileFault
from agent_sync.escaping import shown


def tls_context(environment: Mapping[str, str]) -> ssl.SSLContext:
    """The machine's own authorities (or SSL_CERT_FILE, SSL_CERT_DIR); a bundled list where this Python finds none.

    Raises: FileFault if SSL_CERT_FILE holds no certificate.
    """
    file, folder = environment.get("SSL_CERT_FILE"), environment.get("SSL_CERT_DIR")
    if file or folder:
        return _named(file or None, folder or None)
    context = ssl.create_default_context()
    paths = ssl.get_default_verify_paths()
    if not context.cert_store_stats()["x509_ca"] and not paths.capath:
        import httpx

        return httpx.create_ssl_context(trust_env=False)  # a Python built elsewhere may look where this system has none
    return context


def _named(file: str | None, folder: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=file, capath=folder)
    except OSError as error:  # ssl.SSLError is one, and says that there is no certificate in it
        reason = "it holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
        raise FileFault(
            subject=f"SSL_CERT_FILE, {shown(file or '')}",
            check=f"it cannot be used: {reason}",
            remedy="name a PEM file of the authorities to trust, or unset the variable",
        ) from error
