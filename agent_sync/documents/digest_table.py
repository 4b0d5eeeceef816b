"""DigestTable: a map of files that say a digest and hardly more, in columns, since a lock may have 50,000 of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

from agent_sync.documents.spelling import Value

_HEXADECIMAL = b"0123456789abcdef"
_DIGEST_LENGTH = 64


class DigestTable(Mapping[str, dict[str, Value]]):
    """Each of the `names` has its `sha256` of the `digests` and, if marked, is `executable: true`.

    It equals the mapping of mappings that it stands for, which is made when somebody looks into it.
    """

    def __init__(self, names: list[str], digests: list[str], executable: list[bool]) -> None:
        """ValueError if two names are the same, or what should be a digest is none."""
        if len(set(names)) < len(names) or not _are_digests(digests):
            raise ValueError("no table of digests")
        self.names = names
        self.digests = digests
        self.executable = executable

    def __getitem__(self, name: str) -> dict[str, Value]:
        return self._files[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        return repr(self._files)

    @cached_property
    def _files(self) -> dict[str, dict[str, Value]]:
        rows = zip(self.names, self.digests, self.executable, strict=True)
        return {
            name: {"sha256": digest, "executable": True} if executable else {"sha256": digest}
            for name, digest, executable in rows
        }


def _are_digests(texts: list[str]) -> bool:
    """Whether every one is 64 lower-case hexadecimal digits; all at once takes a tenth of one by one."""
    joined = "".join(texts).encode()
    return set(map(len, texts)) == {_DIGEST_LENGTH} and not joined.translate(None, _HEXADECIMAL)
