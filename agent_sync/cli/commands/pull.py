"""agent-sync pull"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from agent_sync.cli.bundle_options import Name, PlainHttp, ReferenceArgument, reference_of
from agent_sync.cli.options import PolicyFile
from agent_sync.cli.report import Line, Style, Styled, counted, difference_lines, listed, short_digest, verdict_lines
from agent_sync.cli.run import FOUND, Answer, Section, Session, Verb
from agent_sync_oci.text import printable_line

if TYPE_CHECKING:
    from agent_sync.operations.pull import PullResult


def pull(
    session: Session,
    reference: ReferenceArgument,
    *,
    name: Name = None,
    policy: PolicyFile = None,
    write_lock: Annotated[
        bool, typer.Option("--write-lock", help="Make the bundle's lock the lock of this project.")
    ] = False,
    allow_unsigned: Annotated[
        bool, typer.Option("--allow-unsigned", help="Accept an unsigned bundle if no policy rule forbids it.")
    ] = False,
    accept_signer_change: Annotated[
        bool, typer.Option("--accept-signer-change", help="Accept a change of signers since the last pull.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Write the lock without asking.")] = False,
    plain_http: PlainHttp = False,
) -> Answer:
    """Fetch a bundle, verify it, and add it to the cache.

    Signatures and policy are verified before anything but the lock is fetched; every part must then match the lock to
    the last byte. No file of the project changes, except for the lock with --write-lock: the changes are shown first,
    and on a terminal you are asked to confirm them. `agent-sync sync` then writes the files, offline.
    """
    project = session.project(policy=policy)
    confirmation = _Confirmation(session, project.lock_file.label)
    result = project.pull(
        reference_of(reference, session),
        name=name,
        write_lock=write_lock,
        allow_unsigned=allow_unsigned,
        accept_signer_change=accept_signer_change,
        plain_http=plain_http,
        confirm=confirmation if session.can_ask and not yes else None,  # else --write-lock is the answer
    )
    next_step = session.step("agent-sync sync --offline --frozen")
    lines = [
        *([] if confirmation.asked else confirmation.changes(result, replaces_lock=result.lock_written)),
        *_outcome(result, session, confirmation.lock, write_lock=write_lock, next_step=next_step),
    ]
    return Answer(result, lines=lines, code=FOUND if result.declined else None)


class _Confirmation:
    """The confirmation of a new lock: shows its signers and the changes, and asks."""

    def __init__(self, session: Session, lock: str) -> None:
        self.lock = lock
        self.asked = False
        self._session = session

    def __call__(self, proposal: PullResult) -> bool:
        self.asked = True
        self._session.show(self.changes(proposal, replaces_lock=True))
        answer = self._session.ask(f"Write {printable_line(self.lock)}? [y/N] ")
        return answer is not None and answer.lower() in ("y", "yes")

    def changes(self, proposal: PullResult, *, replaces_lock: bool) -> Iterator[Line]:
        """Yield the signers, and what the bundle's lock changes if it replaces the one that is here."""
        yield from verdict_lines(proposal.verdict)
        if not replaces_lock:
            return
        yield Styled(printable_line(self.lock), Style.STRONG)
        for line in difference_lines(proposal.difference, files=self._session.options.verbose):
            yield ("  ", *(line if isinstance(line, tuple) else (line,)))


def _outcome(result: PullResult, session: Session, lock: str, *, write_lock: bool, next_step: str) -> Iterator[Line]:
    if result.declined:
        yield "declined: nothing was fetched or written"
        return
    if session.options.verbose:
        yield from listed("fetched ", result.fetched)
    fetched = f"fetched {counted(len(result.fetched), 'part')}, {len(result.present)} already cached"
    yield f"bundle {result.name} {short_digest(result.digest)}: {fetched}"
    if result.lock_written:
        yield (Styled(f"wrote {printable_line(lock)}", Style.STRONG), f"; next: {next_step}")
    elif write_lock:
        yield f"{printable_line(lock)} is up to date"


VERB = Verb(
    "pull",
    pull,
    document="documents_out.bundles.pull_document",
    section=Section.BUNDLES,
    examples=(
        "agent-sync pull registry.example.com/team/agents:v1",
        "agent-sync pull oci-archive:agents.tar --name acme/agents --policy policy.yaml --write-lock",
    ),
)
