"""Whose certificates count: those that the machine trusts, or the ones its environment names."""

from __future__ import annotations

import ssl
from collections.abc import Mapping

from agent_sync.errors import FileSystemError
from agent_sync_oci.text import quoted


def tls_context(environment: Mapping[str, str]) -> ssl.SSLContext:
    """The machine's own authorities (or SSL_CERT_FILE, SSL_CERT_DIR); a bundled list where this Python finds none.

    Raises: FileSystemError if SSL_CERT_FILE holds no certificate.
    """
    file, directory = environment.get("SSL_CERT_FILE"), environment.get("SSL_CERT_DIR")
    if file or directory:
        return _named(file or None, directory or None)
    context = ssl.create_default_context()
    paths = ssl.get_default_verify_paths()
    if not context.cert_store_stats()["x509_ca"] and not paths.capath:
        import httpx

        return httpx.create_ssl_context(trust_env=False)  # a Python built elsewhere may look where this system has none
    return context


def _named(file: str | None, directory: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=file, capath=directory)
    except OSError as error:  # ssl.SSLError is one, and says that there is no certificate in it
        reason = "it holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
        raise FileSystemError(
            subject=f"SSL_CERT_FILE, {quoted(file or '')}",
            check=f"it cannot be used: {reason}",
            remedy="name a PEM file of the authorities to trust, or unset the variable",
        ) from error
