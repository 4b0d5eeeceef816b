"""Resolve a `ref` to a commit: the rules for names, full and shortened ids (spec §5.1)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from agent_sync.errors import ConfigInvalid
from agent_sync.events import Observer, Warned
from agent_sync.ports import GitRepository
from agent_sync_oci.text import quoted

_WHOLE_ID = re.compile(r"[0-9A-Fa-f]{40}")
_SHORT_ID = re.compile(r"[0-9A-Fa-f]{4,39}")
_BRANCHES, _TAGS = "refs/heads/", "refs/tags/"


class ResolvedRef(NamedTuple):
    """What a ref resolves to: the `commit`; and the `oid` that it names, which differs where that is an annotated tag.

    `tag` is the tag's name if the ref is one.
    """

    commit: str
    oid: str
    tag: str | None = None

    @property
    def is_annotated(self) -> bool:
        """Whether the tag is an object of its own, which may be signed."""
        return self.tag is not None and self.oid != self.commit


def is_whole_id(ref: str) -> bool:
    """Return whether the ref is a commit's id, which means the same whatever the remote lists."""
    return _WHOLE_ID.fullmatch(ref) is not None


def resolve_ref(ref: str, repository: GitRepository, *, source: str, observer: Observer) -> ResolvedRef:
    """Resolve `ref` to the commit that it means now.

    Whole ids need no answer from the remote and are commits, whatever a branch is called.

    Raises:
        ConfigInvalid: nothing is called that.
    """
    if is_whole_id(ref):
        return ResolvedRef(ref.lower(), ref.lower())
    refs = repository.advertised()
    found = _named(ref, refs)
    if found == _TAGS + ref and _BRANCHES + ref in refs:
        message = (
            f"{quoted(ref)} is a tag and a branch: the tag was taken; write {_BRANCHES}{ref} if you mean the branch"
        )
        observer(Warned("ambiguous-ref", f"source {source}", message, source=source, part=("ref",)))
    if found is not None:
        tag = found.removeprefix(_TAGS) if found.startswith(_TAGS) else None
        return ResolvedRef(refs.get(f"{found}^{{}}", refs[found]), refs[found], tag)
    if _SHORT_ID.fullmatch(ref) and (commit := repository.expand(ref)) is not None:
        return ResolvedRef(commit, commit)
    raise ConfigInvalid(
        subject=f"source {source}",
        check=f"the repository has no tag, branch or commit {quoted(ref)}",
        remedy=_suggestion(ref, refs),
        part=("ref",),
    )


def _named(ref: str, refs: Mapping[str, str]) -> str | None:
    """Return the full name of what the remote calls `ref`; a tag before a branch."""
    whole = ref == "HEAD" or ref.startswith("refs/")
    candidates = (ref,) if whole else (_TAGS + ref, _BRANCHES + ref)
    return next((name for name in candidates if name in refs), None)


def _suggestion(ref: str, refs: Mapping[str, str]) -> str:
    from agent_sync_oci.text import closest

    names = {name.removeprefix(_TAGS).removeprefix(_BRANCHES) for name in refs if name.startswith((_TAGS, _BRANCHES))}
    near = closest(ref, (name for name in names if not name.endswith("^{}")))
    return f"did you mean {quoted(near)}?" if near is not None else "list what the repository has: git ls-remote"
