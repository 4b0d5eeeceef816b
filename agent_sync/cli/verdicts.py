"""Who vouches for a bundle, as lines and as fields."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from agent_sync.cli.lines import Line, Style, Styled, listed

if TYPE_CHECKING:
    from agent_sync_oci.trust.judging import RuleVerdict, Verdict


def verdict_lines(verdict: Verdict) -> Iterator[Line]:
    """Each rule and what became of it, and what else stands against the bundle."""
    for each in verdict.rules:
        satisfied = Styled("satisfied", Style.ADDED) if each.satisfied else Styled("not satisfied", Style.ERROR)
        yield (satisfied, f"  rule {each.rule.bundle}: {len(each.signers)} of {each.rule.threshold} signers")
        yield from listed("  signed by ", map(str, each.signers))
        yield from listed("  does not count: ", each.passed_over)
    if not verdict.rules:
        yield "no rule is about this name: nobody's signature was asked for"
    yield from ((Styled("refused", Style.ERROR), f"  {each}") for each in verdict.refusals)


def verdict_fields(verdict: Verdict) -> dict[str, object]:
    """The same for a program."""
    return {
        "accepted": verdict.accepted,
        "signed": verdict.signed,
        "rules": [_rule_fields(each) for each in verdict.rules],
        "refusals": verdict.refusals,
    }


def _rule_fields(verdict: RuleVerdict) -> dict[str, object]:
    return {
        "bundle": verdict.rule.bundle,
        "threshold": verdict.rule.threshold,
        "satisfied": verdict.satisfied,
        "signers": [str(each) for each in verdict.signers],
        "passed_over": verdict.passed_over,
    }
