"""Build the effective trust policy of a machine and a project from the files that `trust:` names."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable

from agent_sync.config.model import IdentitySigner as IdentityModel
from agent_sync.config.model import KeySigner as KeyModel
from agent_sync.config.model import TrustConfig, TrustRule
from agent_sync.errors import ConfigInvalid, Untrusted, UsageError
from agent_sync.ports import Directory
from agent_sync.tree import RelPath
from agent_sync_oci.digest import Digest
from agent_sync_oci.signing.keys import load_public
from agent_sync_oci.signing.signers import IdentitySigner, KeySigner, Signer
from agent_sync_oci.signing.trusted_root import TrustedRoot
from agent_sync_oci.trust.policy import PinnedRoot, Policy, Revocation, Rule

MAX_ROOT_BYTES = 4 * 1024 * 1024
_HOW = "see `trust` in docs/reference/configuration.md; for keys without a log: transparency_log: optional"

Read = Callable[[str], bytes | None]


class TrustFiles:
    """Reads the files that `trust:` names: absolute paths through `read`, others below the project's directory."""

    def __init__(self, project: Directory, read: Read) -> None:
        self._project = project
        self._read = read

    def content(self, path: str, *, what: str) -> bytes:
        """Return the file's bytes.

        Raises:
            Untrusted: no such file. A signer who cannot be verified is not trusted.
        """
        content = self._read(path) if posixpath.isabs(path) else self._below(RelPath(path))
        if content is None:
            raise Untrusted(
                subject=f"{what} {path}", check="no such file", remedy="put the file there, or correct `trust:`"
            )
        return content

    def _below(self, path: RelPath) -> bytes | None:
        if self._project.stat(path) is None:
            return None
        with self._project.open(path) as file:
            return file.read(MAX_ROOT_BYTES + 1)


def policy_of(trusts: Iterable[TrustConfig], files: TrustFiles) -> Policy:
    """Return all requirements together: rules add up, revocations unite, and nothing is ever taken away.

    Raises:
        Untrusted: a file is missing, or is not the pinned one.
        UnusableKey: a file holds no public key.
        ConfigInvalid: a rule that nothing, or anything, would satisfy.
    """
    return Policy.united(*(_policy(trust, files) for trust in trusts))


def trusted_roots(trusts: Iterable[TrustConfig], files: TrustFiles) -> tuple[bytes, ...]:
    """Return the trusted roots that are named by files, each once and as it was pinned.

    Raises:
        Untrusted: a file is missing, or is not the pinned one.
    """
    roots = [root for trust in trusts if isinstance(root := _root(trust, files), TrustedRoot)]
    return tuple(dict.fromkeys(root.content for root in roots))


def _policy(trust: TrustConfig, files: TrustFiles) -> Policy:
    root = _root(trust, files)
    try:
        return Policy(
            rules=tuple(_rule(rule, root, files) for rule in trust.rules),
            revoked=tuple(Revocation(each.digest, each.reason) for each in trust.revoked),
            require_signed=trust.require == "signed",
        )
    except ValueError as error:
        raise ConfigInvalid(subject="trust", check=str(error), remedy=_HOW) from error


def _rule(rule: TrustRule, root: TrustedRoot | PinnedRoot | None, files: TrustFiles) -> Rule:
    return Rule(
        bundle=rule.bundle,
        threshold=rule.threshold,
        signers=tuple(_signer(each, files) for each in rule.signers),
        transparency_log=rule.transparency_log == "required",
        root=root,
    )


def _signer(signer: IdentityModel | KeyModel, files: TrustFiles) -> Signer:
    if isinstance(signer, IdentityModel):
        return IdentitySigner(signer.identity, signer.issuer)
    content = files.content(signer.key, what="public key")
    try:
        return KeySigner(load_public(content), signer.key)
    except UsageError as error:
        raise error.restated(subject=f"public key {signer.key}") from error


def _root(trust: TrustConfig, files: TrustFiles) -> TrustedRoot | PinnedRoot | None:
    """Return the trusted root from its file; without a file, the pin of one that may come with a bundle."""
    pinned = None if trust.root_sha256 is None else Digest.parse(trust.root_sha256).hex
    if trust.root is None:
        return None if pinned is None else PinnedRoot(pinned)
    return TrustedRoot.read(files.content(trust.root, what="trusted root"), pinned)
