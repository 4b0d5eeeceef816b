"""agent-sync pull"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from agent_sync.cli.bundle_options import Name, PlainHttp, ReferenceArgument, reference_of
from agent_sync.cli.options import PolicyFile
from agent_sync.cli.report import difference_fields, difference_lines, verdict_fields, verdict_lines
from agent_sync.cli.run import FOUND, Answer, Session, Verb
from agent_sync.cli.text import Line, Style, Styled, counted, listed
from agent_sync_oci.text import printable_line

if TYPE_CHECKING:
    from agent_sync.operations.pull import PullResult


def pull(
    session: Session,
    place: ReferenceArgument,
    *,
    name: Name = None,
    policy: PolicyFile = None,
    write_lock: Annotated[
        bool, typer.Option("--write-lock", help="Make the bundle's lock this project's lock.")
    ] = False,
    allow_unsigned: Annotated[
        bool, typer.Option("--allow-unsigned", help="Take a bundle that nobody vouches for, if no rule forbids it.")
    ] = False,
    accept_signer_change: Annotated[
        bool, typer.Option("--accept-signer-change", help="Others than the last time may have signed.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Write the lock without asking.")] = False,
    plain_http: PlainHttp = False,
) -> Answer:
    """Fetch and verify a bundle; put it in the cache.

    Its parts are proved and put into the store. Signatures and policy are judged before anything but the lock is
    fetched; every part must then be, to the last byte, what the lock says. No file of the project changes but, with
    --write-lock, the lock: what differs is shown first, and at a terminal you are asked. sync does the rest, offline.
    """
    project = session.project(policy=policy)
    question = _Confirmation(session, project.lock_file.label, yes=yes)
    result = project.pull(
        reference_of(place, session),
        name=name,
        write_lock=write_lock,
        allow_unsigned=allow_unsigned,
        accept_signer_change=accept_signer_change,
        plain_http=plain_http,
        confirm=question,
    )
    lines = [*([] if question.put else verdict_lines(result.verdict)), *_outcome(result, session, question)]
    return Answer(_fields(result), lines=lines, code=FOUND if result.declined else None)


class _Confirmation:
    """The confirmation of another lock: shows who vouches for it and what changes, and asks where somebody sits."""

    def __init__(self, session: Session, lock: str, *, yes: bool) -> None:
        self.lock = lock
        self.put = False
        self._session = session
        self._yes = yes

    def __call__(self, proposal: PullResult) -> bool:
        self.put = True
        self._session.show(self._shown(proposal))
        answer = None if self._yes else self._session.ask(f"Write {printable_line(self.lock)}? [y/N] ")
        return answer is None or answer.lower() in ("y", "yes")  # where nobody can be asked, --write-lock has answered

    def _shown(self, proposal: PullResult) -> Iterator[Line]:
        yield from verdict_lines(proposal.verdict)
        yield Styled(printable_line(self.lock), Style.STRONG)
        for line in difference_lines(proposal.difference, files=self._session.options.verbose):
            yield ("  ", *(line if isinstance(line, tuple) else (line,)))


def _outcome(result: PullResult, session: Session, question: _Confirmation) -> Iterator[Line]:
    if result.declined:
        yield "declined: nothing was fetched, and nothing was written"
        return
    if session.options.verbose:
        yield from listed("fetched ", result.fetched)
    fetched = f"fetched {counted(len(result.fetched), 'part')}, {len(result.present)} were in the store"
    yield f"bundle {result.name} {result.digest}: {fetched}"
    if result.lock_written:
        yield (
            Styled(f"wrote {printable_line(question.lock)}", Style.STRONG),
            "; next: agent-sync sync --offline --frozen",
        )


def _fields(result: PullResult) -> dict[str, object]:
    return {
        "name": result.name,
        "digest": result.digest,
        "verdict": verdict_fields(result.verdict),
        **difference_fields(result.difference),
        "fetched": result.fetched,
        "present": result.present,
        "lock_written": result.lock_written,
        "declined": result.declined,
    }


VERB = Verb(
    "pull",
    pull,
    fields={
        "name": "the name that the bundle was expected to be signed for",
        "digest": "its digest",
        "verdict": "who vouches for it: `accepted`, `signed`, and the `rules` with what became of each",
        "sources": "what the bundle's lock changes here, as `update` tells it",
        "outputs": "the output files `added`, `changed`, `removed`",
        "fetched": "the parts that were fetched",
        "present": "the parts that were in the store",
        "lock_written": "whether the lock was written",
        "declined": "whether somebody did not want the lock: then nothing was fetched or written",
    },
    examples=(
        "agent-sync pull registry.example.com/team/agents:v1",
        "agent-sync pull oci-archive:agents.tar --name acme/agents --policy policy.yaml --write-lock",
    ),
)
