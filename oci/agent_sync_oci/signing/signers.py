"""Who may have signed: a key, or an identity with the issuer that vouches for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from agent_sync_oci.signing.certificate import identity_in
from agent_sync_oci.signing.keys import PublicKey
from agent_sync_oci.signing.sigstore_bundle import Certificate, KeyHint


@dataclass(frozen=True, slots=True)
class KeySigner:
    """Whoever has the private half of a key; `label` is how people name it. The same key is the same signer."""

    public_key: PublicKey
    label: str = field(default="", compare=False)

    def __str__(self) -> str:
        hint = f"key {self.public_key.hint}"
        return f"{self.label} ({hint})" if self.label else hint


@dataclass(frozen=True, slots=True)
class IdentitySigner:
    """Exactly this e-mail address or URI, vouched for by exactly this issuer. Raises ValueError: one is missing."""

    identity: str
    issuer: str

    def __post_init__(self) -> None:
        if not self.identity or not self.issuer:
            raise ValueError("an identity says little without its issuer, and an issuer nothing without an identity")

    def __str__(self) -> str:
        return f"{self.identity} ({self.issuer})"


Signer = KeySigner | IdentitySigner


def asked_for(verifier: KeyHint | Certificate, signers: Sequence[Signer]) -> Signer | None:
    """The one of `signers` who made a signature, if what it claims is true; None: none of them.

    Raises SignatureRejected: its certificate names nobody, or several.
    """
    match verifier:
        case KeyHint(text=hint):
            return next(
                (each for each in signers if isinstance(each, KeySigner) and each.public_key.hint == hint), None
            )
        case Certificate(der=der):
            claimed = IdentitySigner(*identity_in(der))
            return next((each for each in signers if each == claimed), None)


def claim(verifier: KeyHint | Certificate) -> str:
    """Who claims to have made a signature, in words. Nothing has been checked."""
    match verifier:
        case KeyHint(text=hint):
            return f"key {hint}" if hint else "a key without a name"
        case Certificate(der=der):
            return str(IdentitySigner(*identity_in(der)))
