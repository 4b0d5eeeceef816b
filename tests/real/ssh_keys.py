"""SSH keys without a pass phrase, made by ssh-keygen, and what git needs to sign with them."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.builders.repositories import Signer
from tests.real.components import require


@dataclass(frozen=True, slots=True)
class SshKey:
    """`private`: the file of the private key; `public`: type and key on one line, as authorized_keys has it."""

    private: Path
    public: str

    @property
    def signer(self) -> Signer:
        """Signs commits and tags with this key (gitformat-signature(5), `gpg.format` ssh)."""
        return Signer(("-c", "gpg.format=ssh", "-c", f"user.signingKey={self.private}"))

    def allowed_signer(self, principal: str, *, options: str = 'namespaces="git"') -> str:
        """A line of an allowed signers file (ssh-keygen(1)) that lets `principal` sign with this key."""
        return f"{principal} {options} {self.public}\n"


def an_ssh_key(path: Path, *, kind: str = "ed25519") -> SshKey:
    """A new key pair at `path` and `path`.pub."""
    ssh_keygen = require("ssh-keygen")
    subprocess.run([ssh_keygen, "-q", "-t", kind, "-N", "", "-C", "", "-f", path], stdin=subprocess.DEVNULL, check=True)
    return SshKey(path, path.with_name(f"{path.name}.pub").read_text(encoding="ascii").strip())
