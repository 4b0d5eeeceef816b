"""A time-stamp authority (RFC 3161): `openssl ts` with a key and certificate of its own."""

from __future__ import annotations

import subprocess
import tempfile
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

from tests.real.components import require
from tests.real.sigstore_authority import a_ca_certificate, a_time_stamping_certificate

_CONFIGURATION = """\
[tsa]
default_tsa = settings
[settings]
serial = serial
signer_digest = sha256
default_policy = 1.3.6.1.4.1.57264.2
digests = sha256, sha384, sha512
accuracy = secs:1
ess_cert_id_alg = sha256
"""


class TimeStampAuthority:
    """Keeps its files in `directory`. `chain`: its own certificate, then its root's."""

    def __init__(self, directory: Path, start: datetime) -> None:
        self._openssl = require("openssl")
        self._directory = directory
        root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        root = a_ca_certificate("fake-tsa-root", root_key, start=start, path_length=0)
        self.chain: tuple[x509.Certificate, ...] = (a_time_stamping_certificate(key, root, root_key), root)
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (directory / "key.pem").write_bytes(private)
        (directory / "certificate.pem").write_bytes(self.chain[0].public_bytes(Encoding.PEM))
        (directory / "serial").write_text("01\n")
        (directory / "ts.cnf").write_text(_CONFIGURATION)

    def answer(self, query: bytes) -> bytes:
        """The answer to a TimeStampReq."""
        with tempfile.NamedTemporaryFile(dir=self._directory) as asked:
            asked.write(query)
            asked.flush()
            words = ["ts", "-reply", "-config", "ts.cnf", "-section", "settings", "-inkey", "key.pem"]
            words += ["-signer", "certificate.pem", "-queryfile", asked.name]
            done = subprocess.run([self._openssl, *words], cwd=self._directory, capture_output=True, check=True)
            return done.stdout

    def stamp(self, signature: bytes) -> bytes:
        """A time stamp of now over a signature."""
        query = TimestampRequestBuilder().hash_algorithm(HashAlgorithm.SHA256).data(signature).nonce(nonce=True)
        return self.answer(query.build().as_bytes())
