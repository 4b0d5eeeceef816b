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
    """What became of one rule. `signers`: who of them has signed; `passed_over`: why other signatures do not count."""

    rule: Rule
    signers: tuple[Signer, ...]
    passed_over: tuple[str, ...]

    @property
    def satisfied(self) -> bool:
        """Whether enough have signed."""
        return len(self.signers) >= self.rule.threshold

    def __str__(self) -> str:
        counted = f"{len(self.signers)} of {self.rule.threshold} signers needed"
        return f"rule {quoted(self.rule.bundle)}: {'satisfied' if self.satisfied else 'NOT satisfied'}, {counted}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`rules`: each that is about the name. `refusals`: every reason not to accept. `checked`: each good signature."""

    rules: tuple[RuleVerdict, ...]
    refusals: tuple[str, ...]
    checked: tuple[VerifiedSignature, ...]

    @property
    def accepted(self) -> bool:
        """Whether the bundle may be used."""
        return not self.refusals

    @property
    def signed(self) -> bool:
        """Whether somebody whom a rule names has signed it."""
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
    """Whether the bundle with this digest may be used under this name.

    1. nothing of it is revoked: not `digest`, and none of `also`, every digest that it is made of;
    2. a rule is about the name, if any is demanded;
    3. each rule about the name has enough signers. A signature counts for a rule if it is good, is by one of the
       rule's signers, and its first subject is exactly this name with this digest; each signer counts once.

    `own_name` is the name that the bundle has in the bytes with this digest: whoever signs the digest and says no name,
    as `cosign sign` does, has signed for that one.

    A signature that does not count does no harm: anybody may attach one. Raises nothing of its own.
    """
    claimed = _BundleIdentity(name, digest, own_name)
    rules = [rule for rule in policy.rules if rule.applies_to(name)]
    opinions = {root: _opinions(root, rules, claimed, signatures) for root in {rule.root for rule in rules}}
    verdicts = tuple(_evaluate_rule(rule, opinions[rule.root]) for rule in rules)
    refusals = policy.revoked_among({str(digest), *also})
    if policy.leaves_open(name):
        whose = "of one policy no rule" if rules else "no rule"
        refusals.append(f"{whose} is about the name {quoted(name)}, and signatures are required")
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
"""What a signature says, or why it does not count."""


def _opinions(
    root: TrustedRoot | PinnedRoot | None, rules: Sequence[Rule], claimed: _BundleIdentity, signatures: Sequence[bytes]
) -> list[_Opinion]:
    """One opinion for each signature, for all the rules with this root: what costs is done once."""
    signers = tuple(dict.fromkeys(signer for rule in rules if rule.root == root for signer in rule.signers))
    if isinstance(root, PinnedRoot):
        return [f"the trusted root that is pinned, sha256:{root.sha256}, is not here"]
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
            passed_over.append(f"the signature of {opinion.signer} is not asked for here")
        elif rule.transparency_log and not opinion.logged:
            passed_over.append(f"the signature of {opinion.signer} is in no transparency log")
        else:
            signers[opinion.signer] = None
    return RuleVerdict(rule, tuple(signers), tuple(passed_over))


def _unsatisfied(verdict: RuleVerdict) -> str:
    why = "; ".join(verdict.passed_over) or "there is no signature"
    return f"{verdict}: {why}"
