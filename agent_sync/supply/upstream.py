"""Locked sources from where they came from, each taken only if it is what the lock says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from agent_sync.config import limits_of
from agent_sync.errors import AgentSyncError, BytesUnavailable, ContentMismatch, LockInvalid, PartialFailure
from agent_sync.escaping import shown
from agent_sync.lock import GitPin, LocalPin, LockedSource, OciPin, PackedTree, UrlPin
from agent_sync.redaction import HIDDEN
from agent_sync.resolve.git import refetch_git
from agent_sync.resolve.git_trust import refuse_protocol
from agent_sync.resolve.local import look, pack_folder, refuse_changed
from agent_sync.resolve.oci import fetch_artifact
from agent_sync.resolve.offline import refuse_offline
from agent_sync.resolve.side_by_side import outcome_of, side_by_side
from agent_sync.resolve.url import fetch_url
from agent_sync.tree.globs import Globs
from agent_sync_oci.digest import Digest
from agent_sync_oci.reference import RegistryPlace, parse_place

if TYPE_CHECKING:
    from agent_sync.config import Config
    from agent_sync.ports import World

Outcome = PackedTree | AgentSyncError


def fetch_again(
    sources: Sequence[LockedSource], config: Config | None, demands: Config, world: World
) -> Mapping[str, PackedTree]:
    """The packed tree of each source, by name; all are in the store. A url's has its one file and no tar.

    Raises: the error of the source that failed, or PartialFailure if several did: BytesUnavailable (offline, or
    nothing is there any more), ContentMismatch, NetworkError, LimitExceeded, Untrusted.
    """
    fetching = _Fetching(config, demands, world)
    outcomes = side_by_side(fetching.jobs(sources), cancellation=world.cancellation)
    failures = {each.name: error for each in sources if isinstance(error := outcomes[each.name], AgentSyncError)}
    if len(failures) == 1:
        raise next(iter(failures.values()))
    if failures:
        raise PartialFailure(failures, succeeded=0)
    return {name: packed for name, packed in outcomes.items() if isinstance(packed, PackedTree)}


class _Fetching:
    """One run: what may be asked, and how."""

    def __init__(self, config: Config | None, demands: Config, world: World) -> None:
        self._config = config
        self._security = demands.security
        self._world = world
        self._limits = demands.limits

    def jobs(self, sources: Iterable[LockedSource]) -> list[Callable[[], Mapping[str, Outcome]]]:
        """What can be done side by side: each repository, each url, each folder."""
        repositories: dict[str | None, list[LockedSource]] = defaultdict(list)
        jobs: list[Callable[[], Mapping[str, Outcome]]] = []
        for source in sources:
            match source.pin:
                case GitPin():
                    repositories[source.declared.repo].append(source)
                case UrlPin() | LocalPin() | OciPin():
                    jobs.append(partial(self._single, source))
        return [*jobs, *(partial(self._repository, each) for each in repositories.values())]

    def _repository(self, sources: Sequence[LockedSource]) -> Mapping[str, Outcome]:
        return refetch_git(sources, self._world, limits=self._limits, security=self._security)

    def _single(self, source: LockedSource) -> Mapping[str, Outcome]:
        return {source.name: outcome_of(lambda: self._fetched(source))}

    def _fetched(self, source: LockedSource) -> PackedTree:
        match source.pin:
            case UrlPin():
                return self._url(source, source.pin)
            case LocalPin():
                return self._local(source)
            case OciPin():
                return self._artifact(source, source.pin)
            case GitPin():
                raise AssertionError("git sources are fetched by repository")

    def _url(self, source: LockedSource, pin: UrlPin) -> PackedTree:
        """By the address of the configuration, where there is one: the lock's has its secrets taken out."""
        refuse_offline(source.name, self._world)
        declared = None if self._config is None else self._config.source(source.name)
        url = declared.url if declared is not None and declared.type == "url" else pin.url
        subject = f"source {source.name}"
        refuse_protocol(url, self._security, subject=subject)
        if declared is None and HIDDEN in url:
            check = "its address has a secret that the lock does not hold, and --frozen reads no configuration"
            raise BytesUnavailable(
                subject=subject, check=check, remedy="sync without --frozen once, or bring the store along"
            )
        fetch_url(url, Digest.from_hex(pin.sha256), self._world, subject=subject, limits=self._limits)
        return PackedTree(source.tree)

    def _artifact(self, source: LockedSource, pin: OciPin) -> PackedTree:
        """By its digest: the tag may have moved on."""
        place = parse_place(source.declared.reference or "")
        if not isinstance(place, RegistryPlace):
            raise LockInvalid(
                subject=f"source {source.name}",
                check="the lock does not say where it is from",
                remedy="agent-sync update",
            )
        _, packed = fetch_artifact(
            replace(place, tag=None, digest=pin.digest),
            Globs(source.declared.exclude),
            self._world,
            subject=f"source {source.name}",
            limits=self._limits,
            security=self._security,
        )
        if packed.files != source.tree:
            raise ContentMismatch(
                subject=f"source {source.name}",
                check="its layers hold other files than the lock says",
                remedy="restore the lock from version control, or make it again: agent-sync update",
            )
        return packed

    def _local(self, source: LockedSource) -> PackedTree:
        declared = None if self._config is None else self._config.source(source.name)
        seen = None
        if self._config is not None and declared is not None and declared.type == "local":
            seen = look(declared, self._world, limits=limits_of(source.name, self._config))
        if seen is None:
            raise BytesUnavailable(
                subject=f"source {source.name}",
                check=f"the store does not have it, and nothing is read from {shown(str(source.declared.path))}",
                remedy="bring the folder back, or the store along",
            )
        packed = pack_folder(seen.folder, seen.found, self._world, subject=f"source {source.name}")
        refuse_changed(source.name, source.tree, packed.files)
        return packed
