"""Digests, and the image layout: the directory that stores content under its digest.

A digest is `sha256:` and 64 lower-case hexadecimal digits. Source: OCI image spec 1.1, descriptor.md, image-layout.md.
"""

from __future__ import annotations

import hashlib
import re
from typing import Self

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_HEX = re.compile(r"[0-9a-f]{64}")


class Digest(str):
    """A well-formed SHA-256 digest; it compares and prints as its text.

    Created by `parse`, `of` or `from_hex` only, so that a `Digest` is always safe to be a file name.
    """

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the digest in `text`. Raises ValueError for any other text, upper case included."""
        if _DIGEST.fullmatch(text) is None:
            raise ValueError(f"not a sha256 digest: {text[:80]!r}")
        return cls(text)

    @classmethod
    def from_hex(cls, hex_digits: str) -> Self:
        """Return the digest with these 64 hexadecimal digits. Raises ValueError for anything else."""
        if _HEX.fullmatch(hex_digits) is None:
            raise ValueError(f"not 64 hexadecimal digits: {hex_digits[:80]!r}")
        return cls(f"sha256:{hex_digits}")

    @classmethod
    def of(cls, content: bytes) -> Self:
        """Return the digest of `content`."""
        return cls(f"sha256:{hashlib.sha256(content).hexdigest()}")

    @property
    def hex(self) -> str:
        """The 64 digits, without the algorithm."""
        return self[7:]


# -- the image layout ------------------------------------------------------------------------------------------------

LAYOUT_FILE = "oci-layout"
LAYOUT_CONTENT = b'{"imageLayoutVersion":"1.0.0"}'
INDEX_FILE = "index.json"
EMPTY_INDEX = b'{"manifests":[],"mediaType":"application/vnd.oci.image.index.v1+json","schemaVersion":2}'
BLOBS_DIRECTORY = "blobs/sha256"


def blob_path(digest: Digest) -> str:
    """Return the path of a blob below the layout directory, with `/` between the parts."""
    return f"{BLOBS_DIRECTORY}/{digest.hex}"
