"""Git hosts and signatures in memory: repositories out of dictionaries, which note what they were asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from agent_sync.errors import AgentSyncError, ConfigInvalid, LimitExceeded, NetworkError, Untrusted
from agent_sync.ports import Cancellation, GitCommit, GitEntry, GitRepository, SignedObject
from tests.builders.repositories import Content, Executable, Submodule, Symlink

Files = Mapping[str, Content]


@dataclass(slots=True)
class MemoryRepository:
    """What one remote has. A blob's id is git's; the others are its own, have the shape of git's and follow from the
    content.
    """

    refs: dict[str, str] = field(default_factory=dict)
    commits: dict[str, GitCommit] = field(default_factory=dict)
    trees: dict[str, tuple[GitEntry, ...]] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    signed: dict[str, SignedObject] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)

    def commit(self, files: Files, *, branch: str = "main", signature: bytes | None = None) -> str:
        """The id of a new commit that holds exactly these files; `branch`, and HEAD, point to it."""
        entries = tuple(self._entry(path, content) for path, content in files.items())
        tree = an_id("tree", entries)
        self.trees[tree] = entries
        commit = an_id("commit", tree, len(self.commits))
        self.commits[commit] = GitCommit(commit, tree)
        self.signed[commit] = SignedObject(f"tree {tree}\n\na change\n".encode(), signature)
        self.refs["HEAD"] = self.refs[f"refs/heads/{branch}"] = commit
        return commit

    def tag(self, name: str, at: str, *, inside: str | None = None, signature: bytes | None = None) -> str:
        """The id of a new annotated tag of a commit; `inside` is what the tag calls itself."""
        tag = an_id("tag", name, at, inside, signature)
        self.tags[tag] = at
        self.signed[tag] = SignedObject(f"object {at}\ntype commit\ntag {inside or name}\n\n!\n".encode(), signature)
        self.refs |= {f"refs/tags/{name}": tag, f"refs/tags/{name}^{{}}": at}
        return tag

    def _entry(self, path: str, content: Content) -> GitEntry:
        name = path.encode("utf-8", "surrogateescape")
        match content:
            case Submodule(commit):
                return GitEntry(name, 0o160000, commit)
            case Symlink(target):
                return GitEntry(name, 0o120000, self._blob(target))
            case Executable(inner):
                return GitEntry(name, 0o100755, self._blob(inner))
            case _:
                return GitEntry(name, 0o100644, self._blob(content))

    def _blob(self, content: str | bytes) -> str:
        raw = content.encode() if isinstance(content, str) else content
        oid = hashlib.sha1(b"blob %d\0" % len(raw) + raw, usedforsecurity=False).hexdigest()
        self.blobs[oid] = raw
        return oid


@dataclass(slots=True)
class MemoryGit:
    """Implements `ports.GitHost`. `asked` notes every question to a remote: `refs`, `history`, `fetch`, `blobs`."""

    repositories: dict[str, MemoryRepository] = field(default_factory=dict)
    asked: list[tuple[str, ...]] = field(default_factory=list)
    bounds: list[tuple[float, int]] = field(default_factory=list)

    def add(self, address: str) -> MemoryRepository:
        """A new empty repository at this address."""
        self.repositories[address] = MemoryRepository()
        return self.repositories[address]

    @contextmanager
    def open(
        self, repo: str, *, timeout_s: float, max_bytes: int, cancellation: Cancellation
    ) -> Iterator[GitRepository]:
        cancellation.check()
        if repo.startswith("ext::"):
            raise Untrusted(subject=f"repository {repo}", check="address starts a program", remedy="use https")
        self.bounds.append((timeout_s, max_bytes))
        yield _Connection(repo, self, max_bytes)


class _Connection:
    """Implements `ports.GitRepository`; what was not fetched is not here."""

    def __init__(self, address: str, host: MemoryGit, max_bytes: int) -> None:
        self._address = address
        self._host = host
        self._left = max_bytes
        self._here: set[str] = set()
        self._listed: dict[str, str] | None = None

    def advertised(self) -> Mapping[str, str]:
        if self._listed is None:
            self._host.asked.append(("refs",))
            self._listed = dict(self._remote().refs)
            if not self._listed:
                raise NetworkError(subject=f"repository {self._address}", check="it is empty", remedy="check it")
        return self._listed

    def expand(self, short: str) -> str | None:
        self._host.asked.append(("history", short))
        found = sorted(commit for commit in self._remote().commits if commit.startswith(short.lower()))
        if len(found) > 1:
            raise ConfigInvalid(subject=self._address, check=f"{short} is ambiguous", remedy="write the whole id")
        return found[0] if found else None

    def fetch(self, oids: Sequence[str], *, without_blobs: bool) -> None:
        self._host.asked.append(("fetch", *sorted(oids), *(["without blobs"] if without_blobs else [])))
        remote = self._remote()
        for oid in oids:
            commit = remote.tags.get(oid, oid)
            if commit not in remote.commits or oid in remote.gone:
                raise self._absent(oid)
            self._receive({oid, commit, remote.commits[commit].tree})
            if not without_blobs:
                self._receive({entry.oid for entry in remote.trees[remote.commits[commit].tree]} & remote.blobs.keys())

    def fetch_blobs(self, oids: Sequence[str]) -> None:
        missing = set(oids) - self._here
        if missing:
            self._host.asked.append(("blobs", *sorted(missing)))
            self._receive(missing)

    def commit(self, oid: str) -> GitCommit:
        remote = self._remote()
        return remote.commits[self._found(remote.tags.get(oid, oid))]

    def entries(self, tree: str, *, into: Callable[[bytes], bool] = lambda _: True) -> Iterator[GitEntry]:
        for entry in self._remote().trees[self._found(tree)]:
            if all(into(directory) for directory in _directories_on_the_way(entry.path)):
                yield entry

    def blob_size(self, oid: str) -> int:
        return len(self._remote().blobs[self._found(oid)])

    def blob(self, oid: str) -> bytes | memoryview:
        return memoryview(self._remote().blobs[self._found(oid)])

    def signed(self, oid: str) -> SignedObject:
        return self._remote().signed[self._found(oid)]

    def _remote(self) -> MemoryRepository:
        if self._address not in self._host.repositories:
            raise NetworkError(subject=f"repository {self._address}", check="there is none", remedy="check it")
        return self._host.repositories[self._address]

    def _receive(self, oids: set[str]) -> None:
        new = oids - self._here
        self._left -= sum(len(self._remote().blobs.get(oid, b"")) for oid in new)
        if self._left < 0:
            raise LimitExceeded(subject=f"repository {self._address}", check="too large", remedy="take less")
        self._here |= new

    def _found(self, oid: str) -> str:
        if oid not in self._here:
            raise self._absent(oid)
        return oid

    def _absent(self, oid: str) -> AgentSyncError:
        return NetworkError(subject=f"repository {self._address}", check=f"{oid} is not there", remedy="take another")


class MemorySignatures:
    """Implements `ports.SignatureChecker`: a signature is good if it is the text of its signer, who must be known."""

    def __init__(self) -> None:
        self.seen: list[SignedObject] = []

    def signer(self, signed: SignedObject, *, allowed_signers: bytes | None, keyring: bytes | None) -> str:
        self.seen.append(signed)
        if signed.signature is None:
            raise Untrusted(subject="the signature", check="is missing", remedy="have it signed")
        if signed.signature not in ((allowed_signers or b"") + (keyring or b"")).splitlines():
            raise Untrusted(subject="the signature", check="nobody known has made it", remedy="do not use it")
        return signed.signature.decode()


def an_id(*parts: object) -> str:
    """Forty hexadecimal digits that follow from these parts."""
    return hashlib.sha1(repr(parts).encode(), usedforsecurity=False).hexdigest()


def _directories_on_the_way(path: bytes) -> Iterator[bytes]:
    """The directories that `path` is in, the outermost first."""
    names = path.split(b"/")[:-1]
    return (b"/".join(names[: depth + 1]) for depth in range(len(names)))
