"""agent-sync pull"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from agent_sync.cli.answer import Answer, Verb
from agent_sync.cli.bundle_options import Name, PlaceArgument, PlainHttp, PolicyFile, place_of
from agent_sync.cli.lines import Line, Style, Styled, counted, listed
from agent_sync.cli.session import Session
from agent_sync.cli.verdicts import verdict_fields, verdict_lines

if TYPE_CHECKING:
    from agent_sync.operations.pull import PullResult


def pull(
    session: Session,
    place: PlaceArgument,
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
    plain_http: PlainHttp = False,
) -> Answer:
    """Get a bundle from a registry, a layout folder or one file, prove it, and put its parts into the store.

    Signatures and policy are judged before anything but the lock is fetched; every part must then be, to the last byte,
    what the lock says. No file of the project changes but, with --write-lock, the lock: sync does the rest, offline.
    """
    from agent_sync.operations.pull import PullRequest

    result = session.project(policy=policy).pull(
        PullRequest(
            place=place_of(place, session),
            name=name,
            write_lock=write_lock,
            allow_unsigned=allow_unsigned,
            accept_signer_change=accept_signer_change,
            plain_http=plain_http,
        )
    )
    return Answer(_fields(result), lines=_lines(result, verbose=session.options.verbose))


def _lines(result: PullResult, *, verbose: bool) -> Iterator[Line]:
    yield from verdict_lines(result.verdict)
    if verbose:
        yield from listed("fetched ", result.fetched)
    fetched = f"fetched {counted(len(result.fetched), 'part')}, {len(result.present)} were in the store"
    yield f"bundle {result.name} {result.digest}: {fetched}"
    if result.lock_written:
        yield (Styled("wrote the lock", Style.STRONG), "; next: agent-sync sync --offline")


def _fields(result: PullResult) -> dict[str, object]:
    return {
        "name": result.name,
        "digest": result.digest,
        "verdict": verdict_fields(result.verdict),
        "fetched": result.fetched,
        "present": result.present,
        "lock_written": result.lock_written,
    }


VERB = Verb(
    "pull",
    pull,
    fields={
        "name": "the name that the bundle was expected to be signed for",
        "digest": "its digest",
        "verdict": "who vouches for it: `accepted`, `signed`, and the `rules` with what became of each",
        "fetched": "the parts that were fetched",
        "present": "the parts that were in the store",
        "lock_written": "whether the lock was written",
    },
    examples=(
        "agent-sync pull registry.example.com/team/agents:v1",
        "agent-sync pull oci-archive:agents.tar --name acme/agents --policy policy.yaml --write-lock",
    ),
)
