"""A GnuPG home of its own, with keys that need no pass phrase, and what git needs to sign with them."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.builders.repositories import Signer
from tests.real.components import require


@dataclass(frozen=True, slots=True)
class GpgHome:
    """A directory that GNUPGHOME names while the block lasts."""

    directory: Path
    gpg: Path

    def new_key(self, address: str, *, expires: str = "never") -> str:
        """The fingerprint of a new ed25519 signing key; `expires` as gpg has it: never, 1d, 2030-01-01."""
        self._run("--passphrase", "", "--quick-generate-key", f"Test <{address}>", "ed25519", "sign", expires)
        listing = self._run("--with-colons", "--list-keys", address).decode()
        return next(line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr:"))

    def exported(self, fingerprint: str, *, armour: bool = False) -> bytes:
        """The public key, as a keyring file or armoured."""
        return self._run(*(["--armor"] if armour else []), "--export", fingerprint)

    def signer(self, fingerprint: str) -> Signer:
        """Signs commits and tags with this key."""
        settings = ("-c", "gpg.format=openpgp", "-c", f"gpg.program={self.gpg}", "-c", f"user.signingKey={fingerprint}")
        return Signer(settings, {"GNUPGHOME": str(self.directory)})

    def _run(self, *words: str) -> bytes:
        command: list[str | Path] = [self.gpg, "--homedir", self.directory, "--batch", "--quiet", "--no-tty", *words]
        return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True).stdout


@contextmanager
def a_gpg_home(*, today: str | None = None) -> Iterator[GpgHome]:
    """An empty GnuPG home; with `today` (20200131T120000) it lives on that day. Its agent ends with the block."""
    gpg = require("gpg")
    require("gpgv")  # which judges what it signs
    # Directly under the temporary directory: the path of the agent's socket must stay below 108 bytes.
    directory = Path(tempfile.mkdtemp(prefix="gpg-"))
    if today is not None:
        (directory / "gpg.conf").write_text(f"faked-system-time {today}!\n", encoding="ascii")
    try:
        yield GpgHome(directory, gpg)
    finally:
        subprocess.run(["gpgconf", "--homedir", directory, "--kill", "all"], stdin=subprocess.DEVNULL, check=False)
        shutil.rmtree(directory, ignore_errors=True)
