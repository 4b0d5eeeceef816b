"""Resolve a `ref` to a commit (spec §5.1), and verify that what it names is signed as required.

Before that, check that the repository may be contacted at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from agent_sync.errors import ConfigInvalid, Untrusted
from agent_sync.events import Observer, Warned
from agent_sync.limits import Limits
from agent_sync.ports import GitRepository
from agent_sync.sources.addresses import in_allow_list, protocol_of
from agent_sync.sources.base import SignatureKind, SourcePolicy, combine_signed, require_protocol
from agent_sync.sources.local import read_file
from agent_sync.tree.names import project_path
from agent_sync_oci.text import quoted, redact_address

if TYPE_CHECKING:
    from agent_sync.ports import SignedObject, World
    from agent_sync.sources.base import Signers
    from agent_sync.sources.git import GitRequest


_WHOLE_ID = re.compile(r"[0-9A-Fa-f]{40}")
_SHORT_ID = re.compile(r"[0-9A-Fa-f]{4,39}")
_BRANCHES, _TAGS = "refs/heads/", "refs/tags/"
_KEY_FILE = Limits(max_file_size=10_000_000)
_REF = ("ref",)
_TAG_NAME = re.compile(rb"^tag ([^\n]*)$", re.MULTILINE)


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
        check=f"the repository has no tag, branch, or commit {quoted(ref)}",
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


def require_repository(repo: str, policy: SourcePolicy, *, subject: str) -> None:
    """Raise Untrusted unless every allow-list has the repository and its protocol is allowed."""
    require_protocol(repo, policy, subject=subject)
    for patterns in policy.repositories:
        if not in_allow_list(repo, patterns):
            raise Untrusted(
                subject=subject,
                check=f"{quoted(redact_address(repo))} is not among the allowed repositories:"
                f" {', '.join(patterns) or 'none'}",
                remedy="use one of them, or have it added to `security: repositories` where that is required",
            )


def warn_of_protocol(request: GitRequest, world: World) -> None:
    """Warn if nothing proves that the answer comes from the machine that the address names."""
    repo = request.declared.repo
    protocol = protocol_of(repo)
    if protocol in ("http", "git"):
        message = (
            f"{redact_address(repo)} uses {protocol}://:"
            " anyone on the network path can alter the content; use https or ssh"
        )
        world.observer(Warned("insecure-protocol", request.subject, message, source=request.name))


def required_signatures(request: GitRequest) -> tuple[SignatureKind, ...]:
    """Return what must be signed in this source: by its own declaration, or by anyone's `security`."""
    return combine_signed(request.policy.signed, request.declared.signed)


def verify_signatures(request: GitRequest, ref: ResolvedRef, repository: GitRepository, world: World) -> None:
    """Raise unless tag and commit are signed, as far as that is required, by one of the source's signers.

    Raises: Untrusted, ConfigInvalid (a file of signers is missing).
    """
    required, subject = required_signatures(request), request.subject
    if "tag" in required:
        _verify(f"{subject}, tag {ref.tag}", _signed_tag(subject, ref, repository), request.signers, world)
    if "commit" in required:
        _verify(f"{subject}, commit {ref.commit}", repository.signed(ref.commit), request.signers, world)


def _signed_tag(subject: str, ref: ResolvedRef, repository: GitRepository) -> SignedObject:
    if not ref.is_annotated or ref.tag is None:
        what = "its ref is no tag" if ref.tag is None else f"the tag {quoted(ref.tag)} is only a name for a commit"
        remedy = "name a tag that was made with `git tag --sign`"
        raise Untrusted(subject=subject, check=f"a signed tag is required, and {what}", remedy=remedy, part=_REF)
    signed = repository.signed(ref.oid)
    inside = _TAG_NAME.search(signed.payload.partition(b"\n\n")[0])
    if inside is None or inside[1] != ref.tag.encode():
        # Whoever can move refs could serve the signed tag of an old, broken release under the name of a new one.
        name = quoted(inside[1].decode("utf-8", "backslashreplace")) if inside else "nothing"
        check = f"the tag was signed as {name}, not as {quoted(ref.tag)}"
        raise Untrusted(subject=subject, check=check, remedy="have the tag signed under its own name", part=_REF)
    return signed


def _verify(subject: str, signed: SignedObject, signers: Signers | None, world: World) -> None:
    allowed_signers = None if signers is None else _key_file(signers.allowed_signers, world, subject=subject)
    keyring = None if signers is None else _key_file(signers.keyring, world, subject=subject)
    try:
        world.signatures.signer(signed, allowed_signers=allowed_signers, keyring=keyring)
    except Untrusted as error:
        raise error.restated(subject=subject, check=f"{error.subject}: {error.check}", part=_REF) from error


def _key_file(path: str | None, world: World, *, subject: str) -> bytes | None:
    """Return the content of a file of keys; a relative path starts at the project's root."""
    if path is None:
        return None
    content = world.read_file(path) if path.startswith("/") else _own_file(path, world, subject=subject)
    if content is None:
        raise ConfigInvalid(
            subject=subject,
            check=f"the key file {quoted(path)} does not exist",
            remedy="create it, or correct its path",
        )
    return content


def _own_file(path: str, world: World, *, subject: str) -> bytes | None:
    """Return the content of a file below the project's root, never through a link."""
    name = project_path(path, subject=subject)
    if world.project.stat(name) is None:
        return None
    return read_file(world.project, name, subject=f"{subject}, key file {quoted(path)}", limits=_KEY_FILE)
