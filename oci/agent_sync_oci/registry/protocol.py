"""The seven calls with which every place is read and written: one repository, whatever it is made of.

Whoever implements them: any thread may call; what is not there is NotFound; bytes that come out have been compared
with the digest they were asked for by; a failed call leaves what was there before it.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import BinaryIO, Protocol, Self

from agent_sync_oci.digest import Digest
from agent_sync_oci.manifest import Descriptor, Index, Manifest

MAX_REFERRERS = 1000
"""How many referrers of one subject are looked at; whoever may push to a repository can attach any number."""

Write = Callable[[bytes], object]
OpenBody = Callable[[], BinaryIO]


class Registry(Protocol):
    """One repository of a registry, one layout folder or one archive; a context manager that closes it."""

    @property
    def name(self) -> str:
        """As a reference spells it, without tag and digest."""

    def manifest(self, wanted: Digest | str) -> Manifest | Index:
        """The manifest with this digest, which its bytes hash to, or the one at this tag. Raises NotFound."""

    def put_manifest(self, manifest: Manifest | Index, *, tag: str | None = None) -> bool:
        """The manifest is here, and the tag names it. Blobs and children are to be here before it.

        Returns whether this place lists it as a referrer of its subject by itself; true if it has no subject.
        """

    def blob_size(self, digest: Digest) -> int | None:
        """How many bytes the blob has, as the place says; None if it is not here."""

    def get_blob(self, blob: Descriptor, write: Write) -> None:
        """`write` got exactly `blob.size` bytes that hash to `blob.digest`.

        What came before an error has been written, never more than `blob.size`. Raises NotFound, ContentLies.
        """

    def put_blob(self, blob: Descriptor, open_body: OpenBody, *, mount_from: str | None = None) -> None:
        """The blob is here; nothing is sent if it was. The body may be opened again for another attempt.

        `mount_from` names a repository of the same registry that may have it. Raises ContentLies if the body is not
        what `blob` says; then it is not here.
        """

    def referrers(self, subject: Digest) -> tuple[Descriptor, ...]:
        """The manifests whose subject this is, as far as the place knows by itself; with artifact types if it knows.

        In the place's own order. Raises TooMuch for more than MAX_REFERRERS.
        """

    def tags(self) -> tuple[str, ...]:
        """Every tag, sorted."""

    def close(self) -> None:
        """Nothing is held. An archive appears only now, and does not if a `with` block ends in an error."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...
