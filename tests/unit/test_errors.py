"""What every error can do: state its facts, and state them anew for whoever knows more; and the tree they are."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import pytest

from agent_sync import errors
from agent_sync.errors import AgentSyncError, BlobCorrupt, ConfigInvalid, PartialFailure, Place
from agent_sync_oci import errors as oci_errors


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


def _drawn(kind: type[AgentSyncError], lead: str, below: str) -> Iterator[str]:
    yield f"{lead}{kind.__name__}".ljust(29) + f"{kind.exit_code:>3}  {kind.rule}"
    modules = ("agent_sync.errors", "agent_sync_oci.errors")
    children = [each for each in kind.__subclasses__() if each.__module__ in modules]
    ranks = {each: number for number, each in enumerate(errors.__all__)}
    children.sort(key=lambda each: (each.exit_code, ranks[each.__name__]))
    for child in children:
        is_last = child is children[-1]
        yield from _drawn(child, below + ("└── " if is_last else "├── "), below + ("    " if is_last else "│   "))


def test_the_tree_is_drawn_as_it_is() -> None:
    drawing = [line for line in inspect.getdoc(errors).split("\n") if line.startswith("    ")]  # type: ignore[union-attr]
    assert drawing == ["    " + line for line in _drawn(AgentSyncError, "", "")]


_OF_ARTIFACTS = [
    each for each in vars(oci_errors).values() if isinstance(each, type) and issubclass(each, AgentSyncError)
]


@pytest.mark.parametrize("kind", [each for each in _OF_ARTIFACTS if each.default_remedy])
def test_an_error_without_a_remedy_gets_that_of_its_kind(kind: type[AgentSyncError]) -> None:
    assert kind(subject="x", check="y is wrong").remedy == kind.default_remedy
    assert kind(subject="x", check="y is wrong", remedy="do that").remedy == "do that"


def test_credentials_do_not_get_into_an_error() -> None:
    error = oci_errors.RegistryError(
        subject="https://ann:secret@host/x", check="no answer from https://ann:secret@host/"
    )
    again = error.restated(subject="http://bob:secret@host")
    assert "secret" not in f"{error.subject} {error.check} {error} {again.subject} {again}"
