"""The small files of a Nix binary cache: of the cache itself, and of each store path, signed (Nix manual, "HTTP Binary
Cache Store").

`CA` says that the path follows from the content, so that Nix accepts it from anybody; a `Sig` is for those who ask for
one all the same. Keys are those of `nix key generate-secret`.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass

from agent_sync.errors import UsageError
from agent_sync.nix.store_paths import nix32
from agent_sync_oci.digest import Digest

CACHE_INFO_FILE = "nix-cache-info"

Sign = Callable[[bytes], str]
"""Signs the fingerprint of a path: returns `name:signature`."""


@dataclass(frozen=True, slots=True)
class NarInfo:
    """A store path and its NAR: the digest and the length in bytes.

    `flat` holds the SHA-256 of a single file; without it the path follows from the NAR.
    """

    path: str
    nar: Digest
    size: int
    flat: bytes | None = None

    @property
    def file(self) -> str:
        """Return the name of its file in the cache."""
        return f"{self.path.rpartition('/')[2].partition('-')[0]}.narinfo"

    @property
    def fingerprint(self) -> bytes:
        """Return what a signature is made for; the last field would be its references."""
        return f"1;{self.path};{self._nar_hash};{self.size};".encode()

    def text(self, sign: Sign | None = None) -> bytes:
        """Return the file's content."""
        address = f"fixed:r:{self._nar_hash}" if self.flat is None else f"fixed:sha256:{nix32(self.flat)}"
        lines = [
            f"StorePath: {self.path}",
            f"URL: {nar_path(self.nar)}",
            "Compression: none",
            f"FileHash: {self._nar_hash}",
            f"FileSize: {self.size}",
            f"NarHash: {self._nar_hash}",
            f"NarSize: {self.size}",
            "References: ",
            *([] if sign is None else [f"Sig: {sign(self.fingerprint)}"]),
            f"CA: {address}",
        ]
        return "".join(f"{line}\n" for line in lines).encode()

    @property
    def _nar_hash(self) -> str:
        return f"sha256:{nix32(bytes.fromhex(self.nar.hex))}"


def nar_path(nar: Digest) -> str:
    """Return the path of a NAR in the cache: where an image layout has the blob of that digest."""
    return f"blobs/sha256/{nar.hex}"


def cache_info(store_dir: str) -> bytes:
    """Return the cache's own file. Nix asks this cache after cache.nixos.org, whose priority is 40: it has little."""
    return f"StoreDir: {store_dir}\nWantMassQuery: 1\nPriority: 50\n".encode()


# -- signatures ------------------------------------------------------------------------------------------------------

_SEED_BYTES = 32


def signer(secret: bytes) -> Sign:
    """Return what signs with the key in the text `secret`. No message shows any of it.

    Raises:
        UsageError: not such a key.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    name, key = _parse_secret(secret)
    private = Ed25519PrivateKey.from_private_bytes(key[:_SEED_BYTES])
    if private.public_key().public_bytes_raw() != key[_SEED_BYTES:]:
        raise _invalid_key("the two halves of the key do not belong together")
    return lambda fingerprint: f"{name}:{b64encode(private.sign(fingerprint)).decode()}"


def _parse_secret(secret: bytes) -> tuple[str, bytes]:
    try:
        name, _, encoded = secret.decode("ascii").strip().partition(":")
        key = b64decode(encoded, validate=True)
    except ValueError:  # from None: the text is the key
        raise _invalid_key("not a name, a colon, and base64") from None
    if not name or any(character.isspace() for character in name) or len(key) != 2 * _SEED_BYTES:
        raise _invalid_key("not a name, a colon, and 64 bytes in base64")
    return name, key


def _invalid_key(check: str) -> UsageError:
    return UsageError(
        subject="signing key",
        check=check,
        remedy="make a key: nix key generate-secret --key-name example.com-1",
    )
