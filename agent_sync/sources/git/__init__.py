"""Git sources: files of a repository at one ref (spec §5.1). Requests of one repository share one fetch."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import field, replace
from typing import Annotated, Any, ClassVar

from agent_sync.sources.base import (
    Context,
    Declaration,
    Description,
    Outcomes,
    Pin,
    Pinned,
    Request,
    SignatureKind,
    Signers,
    SourceType,
    UpstreamState,
    parameters,
)
from agent_sync.sources.content import Content, PackedTree
from agent_sync.sources.fields import About, DeclaredPath, Glob, KeyFile, Ref, Repository
from agent_sync.sources.table import Table
from agent_sync_oci.records import record
from agent_sync_oci.text import quoted, redact_address

_OBJECT_ID = re.compile(r"[0-9a-f]{40}")


@record(kw_only=True)
class GitDeclaration(Declaration):
    """Files of a git repository at one ref (spec §5.1)."""

    type: ClassVar[str] = "git"
    title: ClassVar[str] = "GitSource"
    location_key: ClassVar[str] = "repo"
    is_repository: ClassVar[bool] = True

    repo: Annotated[Repository, About("The address of the repository.", example="https://github.com/org/rules.git")]
    ref: Annotated[Ref, About("A tag, branch, or commit.", example="v1.2.0")]
    paths: Annotated[tuple[DeclaredPath, ...], About("Only these files and directories.", example=["core/"])] = ()
    exclude: Annotated[tuple[Glob, ...], About("Globs for repository paths to leave out.", example=["**/*.png"])] = ()
    root: Annotated[DeclaredPath | None, About("The directory that file names are relative to.", example="core/")] = (
        None
    )
    signed: Annotated[SignatureKind | None, About("What must be signed.", example="tag")] = field(
        default=None, compare=False
    )
    allowed_signers: Annotated[
        KeyFile | None, About("An SSH allowed-signers file.", example="keys/allowed_signers")
    ] = field(default=None, compare=False)
    keyring: Annotated[KeyFile | None, About("An OpenPGP keyring.", example="keys/release.gpg")] = field(
        default=None, compare=False
    )

    @property
    def signers(self) -> Signers | None:
        return Signers(self.allowed_signers, self.keyring) if self.allowed_signers or self.keyring else None

    def recorded(self) -> GitDeclaration:
        return replace(self, repo=redact_address(self.repo))


@record
class GitPin(Pin):
    """A commit and its tree (40 hexadecimal digits each), and the locked part of that tree."""

    commit: str
    tree: str
    packed: PackedTree

    @property
    def content(self) -> Content:
        return self.packed

    @classmethod
    def read(cls, resolved: Table) -> GitPin:
        return cls(resolved.text("commit"), resolved.text("tree"), PackedTree.read(resolved))

    def write(self) -> dict[str, Any]:
        return {"commit": self.commit, "tree": self.tree, **self.packed.write()}

    def problems(self, declaration: GitDeclaration) -> Iterator[str]:  # noqa: ARG002
        for what, oid in (("commit", self.commit), ("tree", self.tree)):
            if _OBJECT_ID.fullmatch(oid) is None:
                yield f"{what} is {quoted(oid)}, not 40 hexadecimal digits"


GitRequest = Request[GitDeclaration, GitPin]
GitPinned = Pinned[GitDeclaration, GitPin]


class GitType(SourceType[GitDeclaration, GitPin]):
    """Repositories, spoken to by git; what talks to them is loaded when it is needed."""

    declaration = GitDeclaration
    pin = GitPin

    def group(self, declaration: GitDeclaration) -> Hashable:
        return declaration.repo

    def resolve(self, requests: Sequence[GitRequest], context: Context) -> Outcomes[GitPinned]:
        from agent_sync.sources.git.fetch import resolve_git

        return resolve_git(requests, context)

    def check_upstream(self, requests: Sequence[GitRequest], context: Context) -> Outcomes[UpstreamState]:
        from agent_sync.sources.git.fetch import check_git

        return check_git(requests, context)

    def refetch(self, requests: Sequence[GitRequest], context: Context) -> Outcomes[Content]:
        from agent_sync.sources.git.fetch import refetch_git

        return refetch_git(requests, context)

    def describe(self, pinned: GitPinned) -> Description:
        declared, commit = pinned.declaration, pinned.pin.commit
        is_commit = not declared.ref or commit.startswith(declared.ref)
        return Description(
            summary=commit[:12] if is_commit else f"{declared.ref} ({commit[:7]})",
            uri=f"git+{declared.repo}@{commit}",
            digests={"gitCommit": commit},
            location=declared.repo,
            location_type="vcs",
            version=commit,
            parameters=parameters(declared),
        )


TYPE = GitType()
