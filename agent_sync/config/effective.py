"""The configuration in force: what all layers declare together, the policy on it, and the tools it may name.

This module loads no pydantic.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import field, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

from agent_sync.errors import AgentSyncError, Place, UsageError
from agent_sync.events import Event, Observer, Warned
from agent_sync.limits import Limits
from agent_sync.sources.addresses import PROTOCOLS, Protocol
from agent_sync.sources.base import Pinned, Request, SignatureKind, Signers, combine_signed
from agent_sync.tree.names import ROOT, RelPath
from agent_sync_oci.records import record
from agent_sync_oci.text import quoted

if TYPE_CHECKING:
    from agent_sync.config.layer import Origins, Section
    from agent_sync.config.model import (
        BundleConfig,
        Override,
        SecurityConfig,
        Source,
        Target,
        ToolDefinition,
        Transform,
        TrustConfig,
    )


# -- policy: it can only become tighter --------------------------------------------------------------------------------


class Policy(NamedTuple):
    """The requirements on a project, in force together; the defaults require nothing.

    Attributes:
        templates: whether template transforms may run.
        custom_transforms: whether custom transforms may run, in their sandbox.
        repositories: allow-lists of globs; a git source must be in every one of them.
        protocols: what sources may be fetched with.
        signed: what every git source must have, both if both are named.
    """

    templates: bool = True
    custom_transforms: bool = True
    repositories: tuple[tuple[str, ...], ...] = ()
    protocols: tuple[Protocol, ...] = PROTOCOLS
    signed: tuple[SignatureKind, ...] = ()

    def tightened_by(self, security: SecurityConfig | None) -> Policy:
        """Return these requirements together with those of one more file."""
        if security is None:
            return self
        lists = () if security.repositories is None else (security.repositories,)
        allowed = PROTOCOLS if security.protocols is None else security.protocols
        return Policy(
            templates=self.templates and security.templates,
            custom_transforms=self.custom_transforms and security.custom_transforms,
            repositories=(*self.repositories, *lists),
            protocols=tuple(each for each in self.protocols if each in allowed),
            signed=combine_signed(self.signed, security.signed),
        )


def combined_policy(files: Iterable[SecurityConfig | None]) -> Policy:
    """Return the requirements of several files, in force together: a file can only tighten what the others say."""
    demands = Policy()
    for security in files:
        demands = demands.tightened_by(security)
    return demands


def effective_signers(own: Signers | None, level: int, named: Sequence[Signers | None]) -> Signers | None:
    """Return whose signatures count for a source that was declared at `level`; None if nobody was ever named.

    `named` holds what each file names under `security`, the machine's policy first, the project last. A file before the
    source's own replaces what the source names: a project cannot override the machine's signers.
    """
    before = next((each for each in named[:level] if each is not None), None)
    after = next((each for each in named[level:] if each is not None), None)
    return before or own or after


# -- tool maps ---------------------------------------------------------------------------------------------------------

SPEC_TOOL_MAP = "spec-v1"


class ToolDirectory(NamedTuple):
    """The directory that a tool reads. In a `shared` one the user keeps other files, so an unexpected file is not
    drift.
    """

    destination: RelPath
    shared: bool = False


def _directory(destination: str, *, shared: bool = False) -> ToolDirectory:
    return ToolDirectory(RelPath(destination), shared)


# A map never changes once it is released: a lock names the one that it was made with. New facts make a new, dated map.
TOOL_MAPS: Mapping[str, Mapping[str, ToolDirectory]] = {
    # The table of spec §3.2, byte for byte.
    SPEC_TOOL_MAP: {
        "cursor": _directory(".cursor/rules"),
        "claude-code": _directory(".claude", shared=True),
        "copilot": _directory(".github/copilot"),
        "windsurf": _directory(".windsurf/rules"),
        "cline": _directory(".cline/rules"),
        "codex": _directory(".codex", shared=True),
    },
    # What the tools' own documentation said in November 2026, where that is one directory of the project.
    "2026-11": {
        "cursor": _directory(".cursor/rules"),  # cursor.com/docs/context/rules: *.mdc
        "claude-code": _directory(".claude", shared=True),  # code.claude.com/docs/en/claude-directory
        "copilot": _directory(".github/instructions"),  # docs.github.com, "custom instructions": *.instructions.md
        "windsurf": _directory(".windsurf/rules"),  # docs.windsurf.com/windsurf/cascade/memories
        "cline": _directory(
            ".clinerules", shared=True
        ),  # docs.cline.bot/features/cline-rules; workflows/ lies below it
        "codex": _directory(".agents", shared=True),  # developers.openai.com/codex/skills; others read it too
    },
}


def tool_directories(config: Config) -> Mapping[str, ToolDirectory]:
    """Return every tool that a target may name: the built-in ones of `config.tool_map`, overlaid by `tool_definitions`.

    A definition moves a built-in tool and leaves it as shared as it was; a tool of one's own is not shared.
    """
    built_in = TOOL_MAPS[config.tool_map]
    places = dict(built_in)
    for each in config.tool_definitions:
        shared = each.destination == ROOT or (each.name in built_in and built_in[each.name].shared)
        places[each.name] = ToolDirectory(each.destination, shared)
    return places


# -- the configuration -------------------------------------------------------------------------------------------------

Error = TypeVar("Error", bound=AgentSyncError)


@record
class Config:
    """What one or several files declare together, every default filled in.

    Sources keep the position of the lowest file that has the name; targets, overrides and transforms are in the order
    system, user, project. `variables` is plain data: text, numbers, booleans, None, lists and mappings.
    """

    version: int = 1
    tool_map: str = SPEC_TOOL_MAP
    limits: Limits = field(default_factory=Limits)
    security: Policy = field(default_factory=Policy)
    variables: Mapping[str, Any] = field(default_factory=dict)
    sources: tuple[Source, ...] = ()
    tool_definitions: tuple[ToolDefinition, ...] = ()
    targets: tuple[Target, ...] = ()
    overrides: tuple[Override, ...] = ()
    transforms: tuple[Transform, ...] = ()
    caches: tuple[str, ...] = ()
    bundle: BundleConfig | None = None
    trust: tuple[TrustConfig, ...] = ()
    signers: Mapping[str, Signers] = field(default_factory=dict)
    origins: Origins | None = field(default=None, compare=False, repr=False)

    def source(self, name: str) -> Source:
        """Return the source of that name. Raises UsageError if none is declared."""
        for each in self.sources:
            if each.name == name:
                return each
        raise UsageError(subject=f"source {quoted(name)}", check="not declared", remedy=self.remedy_for(name))

    def place_of(self, section: Section, index: int, *inside: str | int) -> Place | None:
        """Return the position of a declaration, or of a value in it; None if no file declares it."""
        return None if self.origins is None else self.origins.place(section, index, *inside)

    def place_of_source(self, name: str, *inside: str | int) -> Place | None:
        """Return the position of a value in the declaration of a source: of its address unless `inside` says more."""
        for index, source in enumerate(self.sources):
            if source.name == name:
                key, *deeper = inside or (source.declaration.location_key,)
                if key == "limits" and getattr(source.limits, str(deeper[0]), None) is None:  # another file's
                    key, deeper = source.declaration.location_key, []
                return self.place_of("sources", index, key, *deeper)
        return None

    @contextmanager
    def locating(self, section: Literal["overrides", "transforms"], declaration: object) -> Iterator[None]:
        """Give every error that is raised inside the position of the declaration, which stands in this section."""
        try:
            yield
        except AgentSyncError as error:
            index = getattr(self, section).index(declaration)
            if error.place is not None or (place := self.place_of(section, index, *error.part)) is None:
                raise
            raise error.restated(place=place) from error

    def located(self, source: str, error: Error) -> Error:
        """Return the error of a source with the position of its declaration."""
        if error.place is not None or (place := self.place_of_source(source, *error.part)) is None:
            return error
        again = error.restated(place=place)
        again.__cause__ = error
        return again

    def locating_warnings(self, observer: Observer) -> Observer:
        """Return an observer that gives warnings of sources their positions, for `observer` to hear."""

        def observe(event: Event, /) -> None:
            if isinstance(event, Warned) and event.source is not None and event.place is None:
                event = replace(event, place=self.place_of_source(event.source, *event.part))
            observer(event)

        return observe

    def remedy_for(self, name: str) -> str:
        """Return the remedy for an unknown source name: the name that was meant, or all there are."""
        from agent_sync_oci.text import closest

        names = [each.name for each in self.sources]
        if (near := closest(name, names)) is not None:
            return f"did you mean {quoted(near)}?"
        return f"choose one of: {', '.join(names)}" if names else "declare it under `sources:`"


def limits_of(source: str, config: Config) -> Limits:
    """Return the limits for the source of that name: its own, where they are lower than the general ones."""
    own = config.source(source).limits
    return config.limits if own is None else config.limits.lowered_by(own.over(config.limits))


def signed_of(source: str, config: Config) -> tuple[SignatureKind, ...]:
    """Return what must be signed in the source of that name: by its own word or by anyone's `security`."""
    return combine_signed(config.security.signed, config.source(source).declaration.signed)


def signers_of(source: str, config: Config) -> Signers | None:
    """Return whose signatures count for the source of that name; None if nobody was named."""
    return config.signers.get(source, config.source(source).declaration.signers)


def request_for(source: Source, config: Config, locked: Pinned[Any, Any] | None = None) -> Request[Any, Any]:
    """Return the request to resolve, check or fetch this source, under everything that the configuration demands.

    What is `locked` for a declaration of another type is as good as nothing.
    """
    same_type = locked is not None and locked.declaration.type == source.type
    return Request(
        name=source.name,
        declaration=source.declaration,
        limits=limits_of(source.name, config),
        policy=config.security,
        signers=signers_of(source.name, config),
        locked=locked if same_type else None,
    )
