"""Pack commits of one repository into trees in the cache.

One fetch serves all; one more fetches blobs where few are wanted. What fails for one source does not fail the others.

A lock is no witness for itself: a merged, edited or forged lock may name bytes that are cached for another reason. What
is reused is therefore derived anew from the cached bytes, and from the ids that git gives them (`prove`).
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from agent_sync.errors import (
    AgentSyncError,
    BlobCorrupt,
    BytesUnavailable,
    Cancelled,
    LimitExceeded,
    LockInvalid,
    NetworkError,
    UnsafePath,
)
from agent_sync.events import BlobSetAside
from agent_sync.limits import Limits
from agent_sync.sources.content import PackedTree, store_tree
from agent_sync.sources.git import GitPin
from agent_sync.sources.git.selection import Selection
from agent_sync.tree.tarball import FileToPack, pack
from agent_sync_oci.digest import Digest

if TYPE_CHECKING:
    from agent_sync.ports import Contents, GitCommit, GitRepository, World
    from agent_sync.sources.base import Context, Outcomes
    from agent_sync.sources.git import GitDeclaration
    from agent_sync.sources.git.selection import GitBlob
    from agent_sync.tree import Entry, RelPath


def prove(packed: PackedTree, selection: Selection, repository: GitRepository, context: Context) -> bool:
    """Return whether the cache has exactly the files that `selection` takes, and `packed` says nothing else of them.

    The repository needs trees and links, no other blobs. All that a lock may say is derived anew from the cached bytes:
    names, digests, executable bits, tar, length and narHash; what is not said is not right. A corrupt blob is set
    aside.

    Raises: LimitExceeded, UnsafePath, as `Selection.files` does.
    """
    blobs, world = selection.blobs(repository), context.world
    if packed.files.keys() != blobs.keys():
        return False
    try:
        with context.open_contents(packed) as contents:
            selection.keep_limits({path: contents.size(entry.sha256) for path, entry in packed.files.items()})
            again, ids = _repacked(packed, blobs, contents, world)
    except BlobCorrupt as error:
        world.store.set_aside(Digest(error.digest))
        world.observer(BlobSetAside(error.digest))
        return False
    except (LockInvalid, BytesUnavailable):
        return False
    said = PackedTree(packed.files, packed.blob, packed.size, packed.nar_hash)
    return again == said and ids == [blobs[path].oid for path in packed.files]


def _repacked(
    packed: PackedTree, blobs: dict[RelPath, GitBlob], contents: Contents, world: World
) -> tuple[PackedTree, list[str]]:
    """Pack the files once more, and return that tree with git's ids of its files."""
    tar, ids = hashlib.sha256(), list[str]()

    def to_pack() -> Iterator[FileToPack]:
        for path, entry in packed.files.items():
            world.cancellation.check()
            chunks = _with_id(entry, contents, ids)
            yield FileToPack(path, contents.size(entry.sha256), chunks, executable=blobs[path].executable)

    again = pack(to_pack(), tar.update)
    return PackedTree(again.tree, Digest.from_hex(tar.hexdigest()), again.size, again.nar_hash), ids


def _with_id(entry: Entry, contents: Contents, ids: list[str]) -> Iterator[bytes]:
    """Yield the file in pieces, and append git's id of it to `ids` in the end."""
    found = hashlib.sha1(b"blob %d\0" % contents.size(entry.sha256), usedforsecurity=False)
    for chunk in contents.chunks(entry.sha256):
        found.update(chunk)
        yield chunk
    ids.append(found.hexdigest())


class Wanted(NamedTuple):
    """The files that `declared` takes of the commit behind `oid` (a commit, or an annotated tag that is wanted too).

    `verify` raises if what was fetched must not be used; `name` is the source's. `known` is what a lock says that they
    are: if that is true, and they are cached, they are not fetched.
    """

    name: str
    oid: str
    declared: GitDeclaration
    limits: Limits
    verify: Callable[[GitRepository], None] | None = None
    known: PackedTree | None = None

    @property
    def subject(self) -> str:
        """What messages call the source."""
        return f"source {self.name}"

    @property
    def is_narrow(self) -> bool:
        """Whether it takes few files of many, or perhaps none, so that fetching the others would be a waste."""
        return bool(self.declared.paths) or self.known is not None


def pack_commits(wanted: Sequence[Wanted], repository: GitRepository, context: Context) -> Outcomes[GitPin]:
    """Pack the files of several sources into the cache. The steps, in the order of trust:

    1 every commit is fetched by its id, at once; 2 signatures are verified; 3 files are chosen and their names checked;
    4 what is cached already is proved to be just that; 5 blobs that are still missing are fetched, at once;
    6 limits and links are checked, files packed.
    """
    batch = _Batch(wanted, repository, context)
    without_blobs = bool(wanted) and all(each.is_narrow for each in wanted)
    batch.fetch(without_blobs=without_blobs)
    batch.verify()
    batch.choose_files()
    if without_blobs:
        batch.keep_known()
        batch.fetch_blobs()
    batch.pack()
    return batch.outcomes


def named(error: AgentSyncError, subject: str) -> AgentSyncError:
    """Return the error with the source in its subject: a transport or a repository knows nothing of sources."""
    if error.subject.startswith(subject):
        return error
    again = error.restated(subject=f"{subject}, {error.subject}" if error.subject else subject)
    again.__cause__ = error
    return again


class _SharedTree(NamedTuple):
    """Files of one tree, and every request for exactly these: they are chosen and packed once."""

    tree: str
    selection: Selection
    requests: list[Wanted]

    @property
    def known(self) -> PackedTree | None:
        """What a lock says that these files are."""
        return next((request.known for request in self.requests if request.known is not None), None)


class _Batch:
    """Requests that still have a chance (`_open`), and what has become of the others (`outcomes`)."""

    def __init__(self, wanted: Sequence[Wanted], repository: GitRepository, context: Context) -> None:
        self.outcomes: dict[str, GitPin | AgentSyncError] = {}
        self._open = {each.name: each for each in wanted}
        self._repository = repository
        self._context = context
        self._world = context.world
        self._commits: dict[str, GitCommit] = {}
        self._wants: dict[tuple[object, ...], _SharedTree] = {}

    def fetch(self, *, without_blobs: bool) -> None:
        by_oid: dict[str, list[Wanted]] = defaultdict(list)
        for request in self._open.values():
            by_oid[request.oid].append(request)
        try:
            if by_oid:
                self._repository.fetch(list(by_oid), without_blobs=without_blobs)
        except (NetworkError, UnsafePath):
            # One that has vanished, or that git's check refuses, takes the whole transfer along: each by itself, then.
            for oid, requests in by_oid.items():
                with self._recording(requests):
                    self._repository.fetch([oid], without_blobs=without_blobs)

    def verify(self) -> None:
        for request in list(self._open.values()):
            with self._recording([request]):
                self._commits[request.name] = self._repository.commit(request.oid)
                if request.verify is not None:
                    request.verify(self._repository)

    def choose_files(self) -> None:
        for request in list(self._open.values()):
            with self._recording([request]):
                self._want(request)
        by_tree: dict[str, list[_SharedTree]] = defaultdict(list)
        for want in self._wants.values():
            by_tree[want.tree].append(want)
        for tree, wants in by_tree.items():
            with self._recording([request for want in wants for request in want.requests]):
                self._read_tree(tree, wants)

    def keep_known(self) -> None:
        wants = [want for want in self._open_wants() if want.known is not None]
        with self._recording([request for want in wants for request in want.requests]):
            self._repository.fetch_blobs([oid for want in wants for oid in want.selection.links])
        for want in self._open_wants():
            with self._recording(want.requests):
                if want.known and prove(want.known, want.selection, self._repository, self._context):
                    self._pin(want, want.known)

    def fetch_blobs(self) -> None:
        wants = self._open_wants()
        oids = {oid: None for want in wants for oid in want.selection.oids}
        with self._recording([request for want in wants for request in want.requests]):
            self._repository.fetch_blobs(list(oids))

    def pack(self) -> None:
        for want in self._open_wants():
            with self._recording(want.requests):
                files = want.selection.files(self._repository, cancellation=self._world.cancellation)
                self._pin(want, store_tree(files, self._world.store, subject=want.requests[0].subject))

    def _pin(self, want: _SharedTree, packed: PackedTree) -> None:
        for request in want.requests:
            self._open.pop(request.name, None)
            self.outcomes[request.name] = GitPin(self._commits[request.name].commit, want.tree, packed)

    def _want(self, request: Wanted) -> None:
        tree, declared = self._commits[request.name].tree, request.declared
        key = (tree, declared.paths, declared.exclude, declared.root, request.limits)
        if key not in self._wants:
            self._wants[key] = _SharedTree(tree, Selection(declared, request.limits), [])
        self._wants[key].requests.append(request)

    def _open_wants(self) -> list[_SharedTree]:
        return [want for want in self._wants.values() if want.requests[0].name in self._open]

    def _read_tree(self, tree: str, wants: list[_SharedTree]) -> None:
        """Offer each entry to all who still listen; a tree that never ends is left when nobody does."""

        def listening(directory: bytes) -> list[_SharedTree]:
            return [want for want in wants if want.selection.looks_into(_text(directory))]

        last, listeners = None, wants
        for number, entry in enumerate(
            self._repository.entries(tree, into=lambda directory: bool(listening(directory)))
        ):
            if number % 1024 == 0:
                self._world.cancellation.check()
            path, directory = _text(entry.path), entry.path.rpartition(b"/")[0]
            if directory != last:
                last, listeners = directory, listening(directory)
            for want in listeners:
                try:  # no `with` here: this is done for every file and every want
                    want.selection.offer(path, entry)
                except LimitExceeded as error:
                    self._record(want.requests, error)
                    wants = [each for each in wants if each is not want]
                    listeners = [each for each in listeners if each is not want]
            if not wants:
                return
        for want in wants:
            with self._recording(want.requests):
                want.selection.check()

    @contextmanager
    def _recording(self, requests: Sequence[Wanted]) -> Iterator[None]:
        """Record what is raised within as the outcome of these sources, and of no others."""
        try:
            yield
        except Cancelled:
            raise
        except AgentSyncError as error:
            self._record(requests, error)

    def _record(self, requests: Sequence[Wanted], error: AgentSyncError) -> None:
        for request in requests:
            if self._open.pop(request.name, None) is not None:
                self.outcomes[request.name] = named(error, request.subject)


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")
