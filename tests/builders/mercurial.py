"""A source type that agent-sync does not have: Mercurial, as hgweb serves it. One module, as a type of the program is.

`tests.builders.mercurial_driver` adds it to the table of types, in one line, and is the program with it.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from typing import Annotated, Any, ClassVar

from agent_sync.errors import ConfigInvalid, DigestMismatch
from agent_sync.sources.base import (
    Context,
    Declaration,
    Description,
    Outcomes,
    Pin,
    Pinned,
    Request,
    SourceType,
    UpstreamState,
    changed_fields,
    each_alone,
    parameters,
    require_online,
    require_protocol,
    require_upstream,
)
from agent_sync.sources.content import Content, PackedTree, store_tree
from agent_sync.sources.fields import About, Glob, Ref, Repository
from agent_sync.sources.table import Table
from agent_sync.tree import RelPath, describe_changes, safe_path, sorted_paths
from agent_sync.tree.names import Globs
from agent_sync.tree.tarball import FileToPack
from agent_sync_oci.records import record
from agent_sync_oci.text import redact_address


@record(kw_only=True)
class MercurialDeclaration(Declaration):
    """Files of a Mercurial repository at one revision."""

    type: ClassVar[str] = "hg"
    title: ClassVar[str] = "MercurialSource"
    location_key: ClassVar[str] = "repo"
    is_repository: ClassVar[bool] = True

    repo: Annotated[Repository, About("The repository's address in hgweb.", example="https://hg.example.com/rules")]
    rev: Annotated[Ref, About("A branch, tag or changeset.", example="default")] = "default"
    exclude: Annotated[tuple[Glob, ...], About("Globs over its files; not looked at.", example=["**/*.png"])] = ()

    def recorded(self) -> MercurialDeclaration:
        return replace(self, repo=redact_address(self.repo))


@record
class MercurialPin(Pin):
    """A changeset (40 hexadecimal digits), and its files."""

    node: str
    packed: PackedTree

    @property
    def content(self) -> Content:
        return self.packed

    @classmethod
    def read(cls, resolved: Table) -> MercurialPin:
        return cls(resolved.text("node"), PackedTree.read(resolved))

    def write(self) -> dict[str, Any]:
        return {"node": self.node, **self.packed.write()}

    def problems(self, declaration: MercurialDeclaration) -> Iterator[str]:  # noqa: ARG002
        if len(self.node) != 40:
            yield f"node has {len(self.node)} digits, not 40"


MercurialRequest = Request[MercurialDeclaration, MercurialPin]
MercurialPinned = Pinned[MercurialDeclaration, MercurialPin]


class MercurialType(SourceType[MercurialDeclaration, MercurialPin]):
    """Repositories behind hgweb; those of one repository ask once what its branches and tags are."""

    declaration = MercurialDeclaration
    pin = MercurialPin

    def group(self, declaration: MercurialDeclaration) -> Hashable:
        return declaration.repo

    def resolve(self, requests: Sequence[MercurialRequest], context: Context) -> Outcomes[MercurialPinned]:
        repository = _Repository(requests[0], context)
        return each_alone(requests, context, lambda request: _resolve(request, repository))

    def check_upstream(self, requests: Sequence[MercurialRequest], context: Context) -> Outcomes[UpstreamState]:
        repository = _Repository(requests[0], context)
        return each_alone(requests, context, lambda request: _check(request, repository))

    def refetch(self, requests: Sequence[MercurialRequest], context: Context) -> Outcomes[Content]:
        repository = _Repository(requests[0], context)
        return each_alone(requests, context, lambda request: _refetch(request, repository))

    def describe(self, pinned: MercurialPinned) -> Description:
        declared, node = pinned.declaration, pinned.pin.node
        return Description(
            summary=f"{declared.rev} ({node[:7]})",
            uri=f"hg+{declared.repo}@{node}",
            digests={"hgChangeset": node},
            parameters=parameters(declared),
            location=declared.repo,
            location_type="vcs",
            version=node,
        )


@dataclass
class _Repository:
    """One repository in hgweb: `json-branches`, `json-tags`, `archive/NODE.tar`."""

    request: MercurialRequest
    context: Context
    _nodes: dict[str, str] = field(default_factory=dict)

    def node(self, rev: str) -> str:
        require_upstream(self.request.name, self.context.world)
        if not self._nodes:
            for kind, name in (("branches", "branch"), ("tags", "tag")):
                listed = json.loads(self._get(f"json-{kind}"))[kind]
                self._nodes.update({each[name]: each["node"] for each in listed})
        if rev not in self._nodes:
            check = f"the repository has no branch or tag {rev!r}"
            remedy = f"there are: {', '.join(self._nodes)}"
            raise ConfigInvalid(subject=self.request.subject, check=check, remedy=remedy, part=("rev",))
        return self._nodes[rev]

    def pack(self, node: str, exclude: Sequence[str], *, subject: str) -> PackedTree:
        with tarfile.open(fileobj=BytesIO(self._get(f"archive/{node}.tar"))) as tar:
            members = {safe_path(each.name.partition("/")[2], subject=subject): each for each in tar if each.isfile()}
            excluded = Globs(exclude)
            kept = [path for path in sorted_paths(members) if path not in excluded and not path.startswith(".hg")]
            files = (_to_pack(path, members[path], tar) for path in kept)
            return store_tree(files, self.context.world.store, subject=subject)

    def _get(self, path: str) -> bytes:
        require_online(self.request.name, self.context.world)
        repo, content = self.request.declared.repo, bytearray()
        require_protocol(repo, self.request.policy, subject=self.request.subject)
        self.context.world.fetcher.fetch(
            f"{repo}/{path}",
            content.extend,
            max_bytes=self.request.limits.max_source_size,
            timeout_s=self.request.limits.fetch_timeout_s,
            cancellation=self.context.world.cancellation,
        )
        return bytes(content)


def _resolve(request: MercurialRequest, repository: _Repository) -> MercurialPinned:
    node, locked = repository.node(request.declared.rev), request.locked
    if locked is not None and locked.pin.node == node and not changed_fields(request.declared, locked):
        return Pinned(request.name, request.declared.recorded(), locked.pin)
    packed = repository.pack(node, request.declared.exclude, subject=request.subject)
    return Pinned(request.name, request.declared.recorded(), MercurialPin(node, packed))


def _check(request: MercurialRequest, repository: _Repository) -> UpstreamState:
    node = repository.node(request.declared.rev)
    return UpstreamState(request.locked is not None and request.locked.pin.node == node, node[:12])


def _refetch(request: MercurialRequest, repository: _Repository) -> PackedTree:
    pinned = request.pinned
    packed = repository.pack(pinned.pin.node, pinned.declaration.exclude, subject=request.subject)
    changes = pinned.tree.changes_to(packed.files)
    if changes:
        check = f"changeset {pinned.pin.node} does not hold the locked files: {describe_changes(changes)}"
        raise DigestMismatch(subject=request.subject, check=check, remedy="agent-sync update")
    return packed


def _to_pack(path: RelPath, member: tarfile.TarInfo, tar: tarfile.TarFile) -> FileToPack:
    file = tar.extractfile(member)
    assert file is not None
    return FileToPack(path, member.size, iter([file.read()]), executable=bool(member.mode & 0o100))


TYPE = MercurialType()


class Hgweb:
    """What the server of one repository answers: `nodes` by branch or tag, `files` by node."""

    def __init__(self) -> None:
        self.branches: dict[str, str] = {}
        self.files: dict[str, Mapping[str, str]] = {}

    def commit(self, node: str, files: Mapping[str, str], *, branch: str = "default") -> None:
        """Add a changeset, and move the branch there."""
        self.files[node] = files
        self.branches[branch] = node

    def answer(self, path: str) -> bytes:
        """Return what is at this path of the server."""
        if path.endswith("/json-branches"):
            return _listing("branches", "branch", self.branches)
        if path.endswith("/json-tags"):
            return _listing("tags", "tag", {})
        node = path.rpartition("/")[2].removesuffix(".tar")
        packed = BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            for name, text in {".hg_archival.txt": f"node: {node}\n", **self.files[node]}.items():
                member = tarfile.TarInfo(f"rules-{node[:12]}/{name}")
                member.size = len(text.encode())
                member.mode = 0o755 if name.endswith(".sh") else 0o644
                tar.addfile(member, BytesIO(text.encode()))
        return packed.getvalue()


def _listing(kind: str, name: str, nodes: Mapping[str, str]) -> bytes:
    return json.dumps({kind: [{name: each, "node": node} for each, node in nodes.items()]}).encode()
