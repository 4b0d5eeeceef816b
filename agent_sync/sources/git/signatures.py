"""Check that a repository may be contacted, and that its tag and commit are signed as required."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from agent_sync.config import signed_of, signers_of
from agent_sync.errors import ConfigInvalid, Untrusted
from agent_sync.events import Warned
from agent_sync.limits import Limits
from agent_sync.sources.addresses import in_allow_list, protocol_of
from agent_sync.sources.git.refs import ResolvedRef
from agent_sync.sources.local import read_file
from agent_sync.tree.names import project_path
from agent_sync_oci.redaction import redact_address
from agent_sync_oci.text import quoted

if TYPE_CHECKING:
    from agent_sync.config import Config, Policy
    from agent_sync.ports import GitRepository, SignedObject, World

_KEY_FILE = Limits(max_file_size=10_000_000)
_TAG_NAME = re.compile(rb"^tag ([^\n]*)$", re.MULTILINE)


def refuse_protocol(address: str, security: Policy, *, subject: str) -> None:
    """Nothing, if the protocol of a repository's or file's address is allowed; Untrusted otherwise."""
    protocol = protocol_of(address)
    if protocol not in security.protocols:
        raise Untrusted(
            subject=subject,
            check=f"{quoted(redact_address(address))} is reached by {protocol or 'no protocol'}, which is not allowed",
            remedy=f"`security: protocols` allows {', '.join(security.protocols) or 'none'}",
        )


def refuse_repository(repo: str, security: Policy, *, subject: str) -> None:
    """Nothing, if every allow-list has the repository and its protocol is allowed; Untrusted otherwise."""
    refuse_protocol(repo, security, subject=subject)
    for patterns in security.repositories:
        if not in_allow_list(repo, patterns):
            raise Untrusted(
                subject=subject,
                check=f"{quoted(redact_address(repo))} is not among the allowed repositories:"
                f" {', '.join(patterns) or 'none'}",
                remedy="use one of them, or have it added to `security: repositories` where that is demanded",
            )


def warn_of_protocol(repo: str, world: World, *, subject: str) -> None:
    """A warning has been given if nothing proves that the answer comes from the machine that the address names."""
    protocol = protocol_of(repo)
    if protocol in ("http", "git"):
        message = (
            f"{redact_address(repo)} is reached by {protocol}:"
            " anyone on the network path can alter the content; use https or ssh"
        )
        world.observer(Warned("insecure-protocol", subject, message))


def verify_signatures(
    source: str, chosen: ResolvedRef, repository: GitRepository, config: Config, world: World
) -> None:
    """Nothing, if tag and commit are signed as far as that is demanded, by somebody whose word counts.

    Raises: Untrusted, ConfigInvalid (a file of signers is missing).
    """
    demanded = signed_of(source, config)
    if "tag" in demanded:
        _verify(f"source {source}, tag {chosen.tag}", _signed_tag(source, chosen, repository), source, config, world)
    if "commit" in demanded:
        _verify(f"source {source}, commit {chosen.commit}", repository.signed(chosen.commit), source, config, world)


def _signed_tag(source: str, chosen: ResolvedRef, repository: GitRepository) -> SignedObject:
    if not chosen.is_annotated or chosen.tag is None:
        what = (
            "its ref is no tag" if chosen.tag is None else f"the tag {quoted(chosen.tag)} is only a name for a commit"
        )
        remedy = "name a tag that was made with `git tag --sign`"
        raise Untrusted(subject=f"source {source}", check=f"a signed tag is demanded, and {what}", remedy=remedy)
    signed = repository.signed(chosen.oid)
    inside = _TAG_NAME.search(signed.payload.partition(b"\n\n")[0])
    if inside is None or inside[1] != chosen.tag.encode():
        # Whoever can move refs could serve the signed tag of an old, broken release under the name of a new one.
        name = quoted(inside[1].decode("utf-8", "backslashreplace")) if inside else "nothing"
        check = f"the tag was signed as {name}, not as {quoted(chosen.tag)}"
        raise Untrusted(subject=f"source {source}", check=check, remedy="have the tag signed under its own name")
    return signed


def _verify(subject: str, signed: SignedObject, source: str, config: Config, world: World) -> None:
    signers = signers_of(source, config)
    allowed_signers = None if signers is None else _key_file(signers.allowed_signers, world, subject=subject)
    keyring = None if signers is None else _key_file(signers.keyring, world, subject=subject)
    try:
        world.signatures.signer(signed, allowed_signers=allowed_signers, keyring=keyring)
    except Untrusted as error:
        raise error.restated(subject=subject, check=f"{error.subject}: {error.check}") from error


def _key_file(path: str | None, world: World, *, subject: str) -> bytes | None:
    """The content of a file of keys; a relative path starts at the project's root."""
    if path is None:
        return None
    content = world.read_file(path) if path.startswith("/") else _own_file(path, world, subject=subject)
    if content is None:
        raise ConfigInvalid(subject=subject, check=f"there is no key file {quoted(path)}", remedy="put it there")
    return content


def _own_file(path: str, world: World, *, subject: str) -> bytes | None:
    """The content of a file below the project's root, never through a link."""
    name = project_path(path, subject=subject)
    if world.project.stat(name) is None:
        return None
    return read_file(world.project, name, subject=f"{subject}, key file {quoted(path)}", limits=_KEY_FILE)
