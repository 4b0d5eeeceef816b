"""What every error can do: state its facts, and state them anew for whoever knows more."""

from __future__ import annotations

from agent_sync.errors import BlobCorrupt, ConfigInvalid, PartialFailure, Place


def test_an_error_restated_keeps_its_kind_and_every_fact_that_is_not_given_anew() -> None:
    place = Place("agent-sync.yaml", 3, 5)
    error = ConfigInvalid(subject="targets", check="it is empty", remedy="fill it", place=place)
    again = error.restated(subject="source a, targets")
    assert type(again) is ConfigInvalid
    assert (again.subject, again.check, again.remedy, again.place) == (
        "source a, targets",
        "it is empty",
        "fill it",
        place,
    )
    assert str(again) == "source a, targets: it is empty"
    assert error.subject == "targets"


def test_what_a_kind_of_error_knows_beside_the_facts_is_kept_as_well() -> None:
    corrupt = BlobCorrupt(digest="sha256:aa", subject="blob", check="other bytes").restated(remedy="fetch it")
    assert isinstance(corrupt, BlobCorrupt)
    assert (corrupt.digest, corrupt.remedy) == ("sha256:aa", "fetch it")
    partly = PartialFailure({"a": corrupt}, succeeded=0).restated(check="all failed")
    assert isinstance(partly, PartialFailure)
    assert partly.reason is corrupt
    assert str(partly) == "source a: all failed"
