"""Policies: what is required of a bundle's signatures.

Policies add up; none can take back what another requires.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from agent_sync_oci.signing.signers import IdentitySigner, Signer
from agent_sync_oci.signing.trusted_root import TrustedRoot
from agent_sync_oci.text import quoted

# -- patterns --------------------------------------------------------------------------------------------------------

_TOKEN = re.compile(r"\*\*|\*|[^*]", re.DOTALL)


def matches_glob(pattern: str, name: str) -> bool:
    """Return whether the whole `name` matches `pattern`: `*` stays within a `/`, `**` crosses it; the rest is literal.

    Takes time in proportion to the product of their lengths at most. Regular expressions can be made to take forever.
    """
    tokens = _TOKEN.findall(pattern)
    reached = _closure({0}, tokens)
    for character in name:
        reached = _closure({after for place in reached for after in _steps(place, tokens, character)}, tokens)
    return len(tokens) in reached


def _steps(place: int, tokens: list[str], character: str) -> set[int]:
    if place == len(tokens):
        return set()
    match tokens[place]:
        case "**":
            return {place}
        case "*":
            return {place} if character != "/" else set()
        case token:
            return {place + 1} if character == token else set()


def _closure(places: set[int], tokens: list[str]) -> set[int]:
    """Return these positions and those after stars that match nothing."""
    found = set(places)
    for place in places:
        while place < len(tokens) and tokens[place].startswith("*") and place + 1 not in found:
            place += 1
            found.add(place)
    return found


# -- policies --------------------------------------------------------------------------------------------------------

_REVOCABLE = re.compile(r"sha256:[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{64}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class PinnedRoot:
    """A trusted root that is not present yet, by the SHA-256 of its file in hex; it may come with the bundle."""

    sha256: str

    def __post_init__(self) -> None:
        if not _SHA256.fullmatch(self.sha256):
            raise ValueError("a trusted root is pinned by the 64 hexadecimal digits of its SHA-256")


@dataclass(frozen=True, slots=True)
class Rule:
    """`threshold` of `signers` must have signed each bundle whose name matches the pattern `bundle`.

    With `transparency_log`, a signature counts only if a log of `root` holds it. Each rule has its own root, so that no
    other policy can swap it. Raises ValueError for a rule that nothing, or anything, would satisfy.
    """

    bundle: str
    threshold: int
    signers: tuple[Signer, ...]
    transparency_log: bool = False
    root: TrustedRoot | PinnedRoot | None = None

    def __post_init__(self) -> None:
        if not self.bundle:
            raise ValueError("a rule needs a pattern for the names of bundles")
        if not self.signers:
            raise ValueError("a rule needs a signer; nobody could satisfy an empty list")
        if not 1 <= self.threshold <= len(set(self.signers)):
            raise ValueError(
                f"the threshold must be from 1 to the number of different signers, {len(set(self.signers))}"
            )
        if self.root is None and any(isinstance(each, IdentitySigner) for each in self.signers):
            raise ValueError("an identity can be verified only with a trusted root")
        if self.root is None and self.transparency_log:
            raise ValueError("a log entry can be verified only with a trusted root")

    def applies_to(self, name: str) -> bool:
        """Return whether the rule applies to the bundle with this name."""
        return matches_glob(self.bundle, name)


@dataclass(frozen=True, slots=True)
class Revocation:
    """A revoked digest: of an index, manifest, blob or file (`sha256:` and hex), or a commit (hex)."""

    digest: str
    reason: str | None = None

    def __post_init__(self) -> None:
        if not _REVOCABLE.fullmatch(self.digest):
            raise ValueError("a revocation names `sha256:` and 64 hexadecimal digits, or a full commit id")

    @property
    def hex(self) -> str:
        """Return the digest without its algorithm."""
        return self.digest.removeprefix("sha256:")


@dataclass(frozen=True, slots=True)
class Policy:
    """A set of rules. All that apply to a name must be satisfied; with `require_signed`, or if there are rules, one
    must apply.

    `scopes` has the patterns of each policy that was united into this one: a name that one of them has no rule for is
    not let in by the rules of another (see `united`).
    """

    rules: tuple[Rule, ...] = ()
    revoked: tuple[Revocation, ...] = ()
    require_signed: bool = False
    scopes: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def united(cls, *policies: Policy) -> Policy:
        """Return the policy that requires what each of them requires; the policy with more authority comes first.

        Where one requires signatures and has no rules, rules of those before it count, and none of those after it: a
        project cannot appoint signers for what the machine requires.
        """
        scopes = [scope for count, policy in enumerate(policies) for scope in policy._scopes(above=policies[:count])]
        return cls(
            tuple(dict.fromkeys(rule for policy in policies for rule in policy.rules)),
            tuple(dict.fromkeys(revocation for policy in policies for revocation in policy.revoked)),
            any(policy.require_signed for policy in policies),
            tuple(dict.fromkeys(scopes)),
        )

    def leaves_open(self, name: str) -> bool:
        """Return whether signatures are required, and one of the united policies has no rule for this name."""
        return any(not any(matches_glob(pattern, name) for pattern in scope) for scope in self._scopes())

    def _scopes(self, *, above: Sequence[Policy] = ()) -> tuple[tuple[str, ...], ...]:
        if self.scopes or not self.requires_signatures:
            return self.scopes
        rules = self.rules or [rule for policy in above for rule in policy.rules]
        return (tuple(dict.fromkeys(rule.bundle for rule in rules)),)

    @property
    def requires_signatures(self) -> bool:
        """Return whether an unsigned bundle is refused, whatever its name."""
        return self.require_signed or bool(self.rules)

    def revoked_among(self, digests: Collection[str]) -> list[str]:
        """Return which of these digests are revoked, each with the reason."""
        present = {digest.removeprefix("sha256:") for digest in digests}
        return [
            f"{revocation.digest} is revoked" + (f": {quoted(revocation.reason)}" if revocation.reason else "")
            for revocation in self.revoked
            if revocation.hex in present
        ]

    @property
    def pinned_roots(self) -> frozenset[str]:
        """Return the SHA-256 (hex) of each trusted root that a rule pins and that is not present yet."""
        return frozenset(rule.root.sha256 for rule in self.rules if isinstance(rule.root, PinnedRoot))

    def with_roots(self, contents: Iterable[bytes]) -> Policy:
        """Return the policy with each pinned root that is among `contents`; a root that nobody pinned is not read."""
        wanted = self.pinned_roots
        named = {hashlib.sha256(content).hexdigest(): content for content in contents}
        found = {sha256: TrustedRoot.read(named[sha256], sha256) for sha256 in sorted(wanted & named.keys())}
        return replace(self, rules=tuple(_resolve_root(rule, found) for rule in self.rules))


def _resolve_root(rule: Rule, found: dict[str, TrustedRoot]) -> Rule:
    if not isinstance(rule.root, PinnedRoot):
        return rule
    return replace(rule, root=found.get(rule.root.sha256, rule.root))
