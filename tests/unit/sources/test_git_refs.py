"""What a ref leads to: tags before branches, whole ids before names, names before beginnings of ids."""

from __future__ import annotations

import pytest

from agent_sync.errors import ConfigInvalid
from agent_sync.events import Event, Warned
from agent_sync.ports import Cancellation
from agent_sync.sources.git.refs import ResolvedRef, resolve_ref
from tests.fakes.git import MemoryGit, MemoryRepository


class _Remote:
    """A repository and what choosing in it announced."""

    def __init__(self) -> None:
        self.git = MemoryGit()
        self.repository: MemoryRepository = self.git.add("r")
        self.events: list[Event] = []

    def choose(self, ref: str) -> ResolvedRef:
        with self.git.open("r", timeout_s=1, max_bytes=1, cancellation=Cancellation()) as opened:
            return resolve_ref(ref, opened, source="s", observer=self.events.append)


@pytest.fixture
def remote() -> _Remote:
    return _Remote()


def test_a_branch_and_head_lead_to_their_commit(remote: _Remote) -> None:
    commit = remote.repository.commit({"a": "1"})
    assert remote.choose("main") == ResolvedRef(commit, commit)
    assert remote.choose("HEAD") == ResolvedRef(commit, commit)
    assert remote.choose("refs/heads/main") == ResolvedRef(commit, commit)


def test_an_annotated_tag_leads_to_its_commit_and_keeps_its_own_id(remote: _Remote) -> None:
    commit = remote.repository.commit({"a": "1"})
    tag = remote.repository.tag("v1", commit)
    for ref in ("v1", "refs/tags/v1"):
        chosen = remote.choose(ref)
        assert chosen == ResolvedRef(commit, tag, "v1")
        assert chosen.is_annotated


def test_a_tag_that_is_only_a_name_is_not_annotated(remote: _Remote) -> None:
    commit = remote.repository.commit({"a": "1"})
    remote.repository.refs["refs/tags/light"] = commit
    chosen = remote.choose("light")
    assert chosen == ResolvedRef(commit, commit, "light")
    assert not chosen.is_annotated


def test_a_tag_wins_over_a_branch_of_the_same_name_with_a_warning(remote: _Remote) -> None:
    old = remote.repository.commit({"a": "1"})
    remote.repository.tag("both", old)
    new = remote.repository.commit({"a": "2"}, branch="both")
    assert remote.choose("both").commit == old
    (warning,) = remote.events
    assert isinstance(warning, Warned)
    assert (warning.rule, warning.subject) == ("ambiguous-ref", "source s")
    assert remote.choose("refs/heads/both").commit == new
    assert len(remote.events) == 1


def test_forty_digits_are_a_commit_even_if_a_branch_or_tag_is_called_that(remote: _Remote) -> None:
    wanted = remote.repository.commit({"a": "good"})
    evil = remote.repository.commit({"a": "evil"}, branch=wanted)
    remote.repository.tag(wanted, evil)
    assert remote.choose(wanted) == ResolvedRef(wanted, wanted)
    assert remote.choose(wanted.upper()) == ResolvedRef(wanted, wanted)
    assert remote.git.asked == []


def test_a_shortened_id_leads_to_its_commit(remote: _Remote) -> None:
    first = remote.repository.commit({"a": "1"})
    remote.repository.commit({"a": "2"})
    assert remote.choose(first[:7]) == ResolvedRef(first, first)


def test_a_branch_called_like_a_shortened_id_wins(remote: _Remote) -> None:
    first = remote.repository.commit({"a": "1"})
    branch = remote.repository.commit({"a": "2"}, branch=first[:7])
    assert remote.choose(first[:7]).commit == branch
    assert remote.git.asked == [("refs",)]


@pytest.mark.parametrize("ref", ["v9", "refs/heads/nothing", "nothing", "deadbee", "refs/pull/1/head"])
def test_what_is_not_there_is_an_error_with_a_remedy(remote: _Remote, ref: str) -> None:
    remote.repository.commit({"a": "1"})
    with pytest.raises(ConfigInvalid, match="has no tag, branch, or commit") as caught:
        remote.choose(ref)
    assert ref in caught.value.check
    assert caught.value.remedy


def test_a_slip_of_the_pen_is_noticed(remote: _Remote) -> None:
    remote.repository.tag("v1.2.0", remote.repository.commit({"a": "1"}))
    with pytest.raises(ConfigInvalid) as caught:
        remote.choose("v1.2.O")
    assert caught.value.remedy == 'did you mean "v1.2.0"?'


def test_a_name_is_never_taken_for_the_whole_name_of_another(remote: _Remote) -> None:
    commit = remote.repository.commit({"a": "1"})
    remote.repository.refs["refs/pull/1/head"] = commit
    with pytest.raises(ConfigInvalid):
        remote.choose("pull/1/head")
    assert remote.choose("refs/pull/1/head").commit == commit
