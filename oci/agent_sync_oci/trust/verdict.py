"""Evaluate a policy against the signatures of one bundle: a verdict, and the reasons for it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from agent_sync_oci.digest import Digest
from agent_sync_oci.errors import InvalidSignature, LimitExceeded
from agent_sync_oci.signing.signers import Signer
from agent_sync_oci.signing.trusted_root import TrustedRoot
from agent_sync_oci.signing.verify import VerifiedSignature, verify_bundle
from agent_sync_oci.text import quoted
from agent_sync_oci.trust.policy import PinnedRoot, Policy, Rule


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
            signers[opinion.signer] = None
    return RuleVerdict(rule, tuple(signers), tuple(passed_over))


def _unsatisfied(verdict: RuleVerdict) -> str:
    return "; ".join((str(verdict), *verdict.passed_over))
