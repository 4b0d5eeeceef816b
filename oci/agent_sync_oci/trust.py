"""Trust in bundles: policies as values, and the verdict on the signatures of one bundle.

A policy, a name, a digest, and signature bundles go in; a verdict with its reasons comes out. Policies add up; none can
take back what another requires. Nothing is remembered between two evaluations."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from agent_sync_oci.digest import Digest
from agent_sync_oci.errors import InvalidSignature, LimitExceeded
from agent_sync_oci.signing.signers import IdentitySigner, Signer
from agent_sync_oci.signing.trusted_root import TrustedRoot
from agent_sync_oci.signing.verify import VerifiedSignature, verify_bundle
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
        reached = _closure({after for position in reached for after in _steps(position, tokens, character)}, tokens)
    return len(tokens) in reached


def _steps(position: int, tokens: list[str], character: str) -> set[int]:
    if position == len(tokens):
        return set()
    match tokens[position]:
        case "**":
            return {position}
        case "*":
            return {position} if character != "/" else set()
        case token:
            return {position + 1} if character == token else set()


def _closure(positions: set[int], tokens: list[str]) -> set[int]:
    """Return these positions and those after stars that match nothing."""
    found = set(positions)
    for position in positions:
        while position < len(tokens) and tokens[position].startswith("*") and position + 1 not in found:
            position += 1
            found.add(position)
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
            raise ValueError("a rule that requires a transparency log entry needs a trusted root")

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


# -- verdicts --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RuleVerdict:
    """The result of one rule. `signers`: those who have signed; `passed_over`: why other signatures do not count."""

    rule: Rule
    signers: tuple[Signer, ...]
    passed_over: tuple[str, ...]

    @property
    def satisfied(self) -> bool:
        """Return whether enough have signed."""
        return len(self.signers) >= self.rule.threshold

    def __str__(self) -> str:
        counted = f"rule {quoted(self.rule.bundle)}: {len(self.signers)} of {self.rule.threshold} signatures"
        return counted if self.satisfied else f"{counted}; missing: {self.missing}"

    @property
    def missing(self) -> str:
        """Return who could still sign for the rule to be satisfied, in words."""
        names = [each.name for each in self.rule.signers if each not in self.signers]
        needed = self.rule.threshold - len(self.signers)
        return ", ".join(names) if needed == len(names) else f"{needed} of {', '.join(names)}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict on a bundle. `rules`: those that apply; `refusals`: each reason to refuse; `checked`: each valid
    signature.
    """

    rules: tuple[RuleVerdict, ...]
    refusals: tuple[str, ...]
    checked: tuple[VerifiedSignature, ...]

    @property
    def accepted(self) -> bool:
        """Return whether the bundle is trusted."""
        return not self.refusals

    @property
    def signed(self) -> bool:
        """Return whether a signer of some rule has signed it."""
        return bool(self.checked)


def evaluate(
    policy: Policy,
    name: str,
    digest: Digest,
    signatures: Sequence[bytes],
    also: Collection[str] = (),
    *,
    own_name: str | None = None,
) -> Verdict:
    """Return the verdict on the bundle with this digest under this name.

    1. Nothing of it is revoked: not `digest`, and none of `also`, every digest that the bundle is made of. 2. If
    signatures are required, a rule applies to the name. 3. Each rule that applies has enough signers. A signature
    counts for a rule if it is valid, is by one of the rule's signers, and its first subject is exactly this name with
    this digest; each signer counts once.

    `own_name` is the name in the bundle's own bytes: whoever signs the digest without a name, as `cosign sign` does,
    has signed for that name.

    A signature that does not count does no harm: anybody may attach one. Raises nothing of its own.
    """
    claimed = _BundleIdentity(name, digest, own_name)
    # Rules with the same root share one verification of each signature: that is the expensive part.
    rules = [rule for rule in policy.rules if rule.applies_to(name)]
    opinions = {root: _opinions(root, rules, claimed, signatures) for root in {rule.root for rule in rules}}
    verdicts = tuple(_evaluate_rule(rule, opinions[rule.root]) for rule in rules)
    refusals = policy.revoked_among({str(digest), *also})
    if policy.leaves_open(name):
        whose = "one policy has no rule for" if rules else "no rule applies to"
        refusals.append(f"{whose} the name {quoted(name)}, and signatures are required")
    refusals += [_unsatisfied(verdict) for verdict in verdicts if not verdict.satisfied]
    good = dict.fromkeys(
        opinion for root in opinions for opinion in opinions[root] if isinstance(opinion, VerifiedSignature)
    )
    return Verdict(verdicts, tuple(refusals), tuple(good))


@dataclass(frozen=True, slots=True)
class _BundleIdentity:
    name: str
    digest: Digest
    own_name: str | None


_Opinion = VerifiedSignature | str
"""A valid signature, or why one does not count."""


def _opinions(
    root: TrustedRoot | PinnedRoot | None, rules: Sequence[Rule], claimed: _BundleIdentity, signatures: Sequence[bytes]
) -> list[_Opinion]:
    """Return one opinion for each signature, for all rules with this root: expensive work is done once."""
    signers = tuple(dict.fromkeys(signer for rule in rules if rule.root == root for signer in rule.signers))
    if isinstance(root, PinnedRoot):
        return [f"the pinned trusted root, sha256:{root.sha256}, is missing"]
    return [_opinion(signature, signers, root, claimed) for signature in signatures]


def _opinion(
    signature: bytes, signers: Sequence[Signer], root: TrustedRoot | None, claimed: _BundleIdentity
) -> _Opinion:
    try:
        checked = verify_bundle(signature, signers, root=root)
    except (InvalidSignature, LimitExceeded) as error:
        return str(error)
    subject = checked.statement.subjects[0]
    if subject.sha256 != claimed.digest.hex:
        return f"the signature of {checked.signer} is for sha256:{subject.sha256}"
    # Without this, a signature for a test bundle would do for the one in production with the same bytes.
    if (subject.name or claimed.own_name) != claimed.name:
        return f"the signature of {checked.signer} is for the name {quoted(subject.name)}"
    return checked


def _evaluate_rule(rule: Rule, opinions: Sequence[_Opinion]) -> RuleVerdict:
    signers: dict[Signer, None] = {}
    passed_over = []
    for opinion in opinions:
        if isinstance(opinion, str):
            passed_over.append(opinion)
        elif opinion.signer not in rule.signers:
            passed_over.append(f"{opinion.signer} is not a signer of this rule")
        elif rule.transparency_log and not opinion.logged:
            passed_over.append(f"the signature of {opinion.signer} is in no transparency log")
        else:
            # By signer, not by signature: whoever signs twice is still one of the threshold.
            signers[opinion.signer] = None
    return RuleVerdict(rule, tuple(signers), tuple(passed_over))


def _unsatisfied(verdict: RuleVerdict) -> str:
    return "; ".join((str(verdict), *verdict.passed_over))
