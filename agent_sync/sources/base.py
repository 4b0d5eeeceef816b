"""The protocol of a source type: its declaration, its pin, and what can be done with them.

A type is one module below `agent_sync.sources` and one line in its table of types. Everything else (the models of the
configuration, the reader and writer of the lock, both JSON Schemas, difference, provenance, bill of materials, bundles)
asks the type and knows none by name.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import MISSING, fields, replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, NamedTuple, Protocol, Self, TypeVar

from agent_sync.errors import AgentSyncError, BytesUnavailable, Untrusted
from agent_sync.limits import Limits
from agent_sync.sources.addresses import protocol_of
from agent_sync.sources.concurrent import outcome_of
from agent_sync.sources.content import Content, PackedTree
from agent_sync.tree import Tree
from agent_sync_oci.records import record
from agent_sync_oci.text import quoted, redact_address

if TYPE_CHECKING:
    from agent_sync.ports import Contents, World
    from agent_sync.sources.table import Table
    from agent_sync_oci.digest import Digest

SignatureKind = Literal["tag", "commit"]
SIGNATURE_KINDS: tuple[SignatureKind, ...] = ("tag", "commit")


class Signers(NamedTuple):
    """Files that say whose signatures count: an ssh signers file (ssh-keygen(1)) and an OpenPGP keyring.

    Each is absolute, or relative to the project root.
    """

    allowed_signers: str | None = None
    keyring: str | None = None


@record(kw_only=True)
class Declaration:
    """What a configuration declares of one source: which files it wants, and from where.

    A subclass lists its fields in the order of the lock's keys: text, and tuples of text that default to (). A field
    with `compare=False` says how files are fetched and not which: the lock does not record it, and changing it makes no
    lock stale. The annotations (`agent_sync.sources.fields`) say how a configuration's value is checked.

    Attributes:
        type: the name in `type:`.
        title: what the model is called in the JSON Schema, such as `GitSource`.
        location_key: the field that says where the files are.
        is_local: whether they are on this machine.
        is_repository: whether `security: repositories` and `security: signed` apply.
        also_resolved: fields that another implementation may record under `resolved` alone.
    """

    type: ClassVar[str]
    title: ClassVar[str]
    location_key: ClassVar[str]
    is_local: ClassVar[bool] = False
    is_repository: ClassVar[bool] = False
    also_resolved: ClassVar[tuple[str, ...]] = ()

    @property
    def address(self) -> str | None:
        """The address as a URL or a path, from which its protocol follows; None if the files are on this machine."""
        return None if self.is_local else str(getattr(self, self.location_key))

    @property
    def signed(self) -> SignatureKind | None:
        """What the declaration itself requires to be signed."""
        return None

    @property
    def signers(self) -> Signers | None:
        """Whose signatures the declaration itself names."""
        return None

    def recorded(self) -> Self:
        """Return the declaration as the lock records it: without secrets."""
        return self

    def completed(self, pin: Any) -> Self:  # noqa: ANN401, ARG002  # the pin is of the same type
        """Return the declaration with what only the pin of a foreign lock says."""
        return self

    def normalized(self) -> Self:
        """Return the value that is compared: `./agents/` and `agents` are one directory, digests are lower-case."""
        return replace(self, **{name: _normalized(getattr(self, name)) for name in self.recorded_fields()})

    @classmethod
    def recorded_fields(cls) -> tuple[str, ...]:
        """Return the names of the fields that the lock records, in its order."""
        return tuple(each.name for each in fields(cls) if each.compare)

    @classmethod
    def read(cls, source: Table, resolved: Table) -> Self:
        """Return the declaration that the lock records; what another implementation did not record is empty."""
        values: dict[str, Any] = {}
        for each in fields(cls):
            if each.compare and each.default == ():
                values[each.name] = source.texts(each.name)
            elif each.compare:
                text = source.text_or(each.name, "")
                if not text and each.name in cls.also_resolved:
                    text = resolved.text_or(each.name, "")
                values[each.name] = text if text or each.default is MISSING else each.default
        return cls(**values)

    def write(self) -> dict[str, Any]:
        """Return the keys of the lock that record this declaration."""
        values = {name: getattr(self, name) for name in self.recorded_fields()}
        said = {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
        return {"type": self.type, **{name: value for name, value in said.items() if value}}


class Pin(ABC):
    """What a source was resolved to, as the lock records it under `resolved`."""

    __slots__ = ()

    @property
    @abstractmethod
    def content(self) -> Content:
        """What its files are in the cache."""

    @classmethod
    @abstractmethod
    def read(cls, resolved: Table) -> Self:
        """Return the pin that `resolved` records."""

    @abstractmethod
    def write(self) -> dict[str, Any]:
        """Return the keys below `resolved`."""

    def problems(self, declaration: Any) -> Iterator[str]:  # noqa: ANN401, ARG002  # the declaration of the same type
        """Yield why the pin cannot be used: what can be read, but is no object id or contradicts the declaration."""
        return iter(())


D = TypeVar("D", bound=Declaration)
P = TypeVar("P", bound=Pin)
T = TypeVar("T")

Outcomes = Mapping[str, T | AgentSyncError]
"""By the name of the source: the result, or why there is none."""


@record
class Pinned(Generic[D, P]):
    """A source, what was declared of it, and what that was resolved to."""

    name: str
    declaration: D
    pin: P

    @property
    def tree(self) -> Tree:
        """The pinned files, before any transform."""
        return self.pin.content.files


class SourcePolicy(Protocol):
    """The part of the policy in force that concerns sources."""

    @property
    def protocols(self) -> Sequence[str]:
        """What sources may be fetched with."""
        ...

    @property
    def repositories(self) -> Sequence[Sequence[str]]:
        """Allow-lists of globs; a repository must be in every one of them."""
        ...

    @property
    def signed(self) -> Sequence[SignatureKind]:
        """What must be signed in every repository."""
        ...


@record
class Request(Generic[D, P]):
    """One source to resolve, check or fetch again.

    `declaration` is the configuration's; it is None where no configuration is read (`--frozen`), and then `locked` has
    what the lock records of it. `locked` is the source in the lock, if it is in there.
    """

    name: str
    declaration: D | None
    limits: Limits
    policy: SourcePolicy
    signers: Signers | None = None
    locked: Pinned[D, P] | None = None

    @property
    def subject(self) -> str:
        """What messages call the source."""
        return f"source {self.name}"

    @property
    def declared(self) -> D:
        """The configuration's declaration, else the lock's."""
        return self.pinned.declaration if self.declaration is None else self.declaration

    @property
    def pinned(self) -> Pinned[D, P]:
        """The source in the lock, where it must be in there."""
        assert self.locked is not None, f"{self.subject} is not locked"
        return self.locked


class UpstreamState(NamedTuple):
    """What a source is upstream now: whether the lock has the same, and a short name for it.

    `remedy` is what to do before an update, where an update alone does not help.
    """

    same: bool
    identity: str
    remedy: str | None = None


class Description(NamedTuple):
    """A pinned source for people and for statements about a lock.

    Attributes:
        summary: the pin, short: `v1.2.0 (3f8c9ab)` (spec §9.5).
        uri: where the material came from (SLSA provenance v1, `resolvedDependencies`).
        digests: the material's digests beside that of its content, by in-toto's names.
        parameters: the declaration, less digests of the content (SLSA provenance v1, `externalParameters`).
        location: the address for a bill of materials; None if it is on this machine.
        location_type: what CycloneDX calls such an external reference.
        version: the version for a bill of materials.
    """

    summary: str
    uri: str
    digests: Mapping[str, str]
    parameters: Mapping[str, object]
    location: str | None = None
    location_type: str = "distribution"
    version: str | None = None


class Context(NamedTuple):
    """The ports that source types use: the world, and two readers of the cache.

    `open_contents` opens packed trees that are cached. `is_whole` says whether a blob is cached and matches its digest;
    a corrupt one is set aside.
    """

    world: World
    open_contents: Callable[[PackedTree], AbstractContextManager[Contents]]
    is_whole: Callable[[Digest], bool]


class SourceType(ABC, Generic[D, P]):
    """One type of source. Requests of one `group` are handled together; what fails for one does not fail the others."""

    declaration: type[D]
    pin: type[P]

    def group(self, declaration: D) -> Hashable | None:  # noqa: ARG002
        """Return what sources share that are handled together, such as a repository; None for one by itself."""
        return None

    @abstractmethod
    def resolve(self, requests: Sequence[Request[D, P]], context: Context) -> Outcomes[Pinned[D, P]]:
        """Resolve the sources upstream, and fetch their files to the cache."""

    @abstractmethod
    def check_upstream(self, requests: Sequence[Request[D, P]], context: Context) -> Outcomes[UpstreamState]:
        """Compare upstream with the lock without fetching more than that takes (spec §9.4)."""

    @abstractmethod
    def refetch(self, requests: Sequence[Request[D, P]], context: Context) -> Outcomes[Content]:
        """Fetch exactly what the lock names, whatever is upstream now (spec §5.1)."""

    def prove(self, request: Request[D, P], context: Context) -> AgentSyncError | None:  # noqa: ARG002
        """Return how the source's files on this machine differ from the lock; None if they do not, or are upstream."""
        return None

    @abstractmethod
    def describe(self, pinned: Pinned[D, P]) -> Description:
        """Describe the pin for people, for provenance and for a bill of materials."""


class IndependentSourceType(SourceType[D, P]):
    """A type whose sources share no work: each request is handled by itself."""

    @abstractmethod
    def resolve_one(self, request: Request[D, P], context: Context) -> Pinned[D, P]:
        """Resolve one source upstream, and fetch its files to the cache."""

    @abstractmethod
    def check_one(self, request: Request[D, P], context: Context) -> UpstreamState:
        """Compare one source upstream with the lock."""

    @abstractmethod
    def refetch_one(self, request: Request[D, P], context: Context) -> Content:
        """Fetch exactly what the lock names of one source."""

    def resolve(self, requests: Sequence[Request[D, P]], context: Context) -> Outcomes[Pinned[D, P]]:
        return each_alone(requests, context, lambda request: self.resolve_one(request, context))

    def check_upstream(self, requests: Sequence[Request[D, P]], context: Context) -> Outcomes[UpstreamState]:
        return each_alone(requests, context, lambda request: self.check_one(request, context))

    def refetch(self, requests: Sequence[Request[D, P]], context: Context) -> Outcomes[Content]:
        return each_alone(requests, context, lambda request: self.refetch_one(request, context))


def each_alone(requests: Sequence[Request[D, P]], context: Context, work: Callable[[Request[D, P]], T]) -> Outcomes[T]:
    """Return the outcome of `work` for each request, by name. Raises: Cancelled."""
    outcomes: dict[str, T | AgentSyncError] = {}
    for request in requests:
        context.world.cancellation.check()
        outcomes[request.name] = outcome_of(partial(work, request))
    return outcomes


def changed_fields(declaration: Declaration, locked: Pinned[Any, Any]) -> tuple[str, ...]:
    """Return the names of the declared fields that the lock was not made for; empty if the lock is good.

    What another implementation did not record cannot differ: its locks have no packed form.
    """
    now, then = declaration.recorded().normalized(), locked.declaration.completed(locked.pin).normalized()
    if type(now) is not type(then):
        return ("type",)
    if isinstance(locked.pin.content, PackedTree) and locked.pin.content.blob is None:
        missing = [name for name in then.recorded_fields() if not getattr(then, name)]
        then = replace(then, **{name: getattr(now, name) for name in missing})
    if now == then:
        return ()
    return tuple(name for name in now.recorded_fields() if getattr(now, name) != getattr(then, name))


def combine_signed(required: Sequence[SignatureKind], more: SignatureKind | None) -> tuple[SignatureKind, ...]:
    """Return the kinds of signature that are required, in order, with one more."""
    return tuple(kind for kind in SIGNATURE_KINDS if kind in (*required, more))


def require_online(source: str, world: World) -> None:
    """Raise BytesUnavailable if the source must be fetched and `--offline` forbids it."""
    if world.offline:
        raise BytesUnavailable(
            subject=f"source {source}",
            check="not cached, and --offline forbids fetching it",
            remedy="run the command once without --offline, or copy the cache here",
        )


def require_upstream(source: str, world: World) -> None:
    """Raise BytesUnavailable if upstream must be asked and `--offline` forbids it: no cache knows what is new."""
    if world.offline:
        raise BytesUnavailable(
            subject=f"source {source}",
            check="--offline forbids connecting to upstream",
            remedy="run the command without --offline",
        )


def require_protocol(address: str, policy: SourcePolicy, *, subject: str) -> None:
    """Raise Untrusted if the policy does not allow the protocol of this address."""
    protocol = protocol_of(address)
    if protocol not in policy.protocols:
        raise Untrusted(
            subject=subject,
            check=f"{quoted(redact_address(address))} uses {protocol or 'no known protocol'}, which is not allowed",
            remedy=f"`security: protocols` allows {', '.join(policy.protocols) or 'none'}",
        )


def parameters(declaration: Declaration, *, without: str | None = None) -> dict[str, object]:
    """Return the recorded declaration as the parameters of a build, less the field that is a digest of the content."""
    return {key: value for key, value in declaration.write().items() if key != without}


def _normalized(value: object) -> object:
    if isinstance(value, tuple):
        return tuple(_normalized(each) for each in value)
    if isinstance(value, str) and value:
        text = value.removeprefix("./").rstrip("/") or "."
        return text.lower() if text.lower().startswith("sha256:") else text
    return value
