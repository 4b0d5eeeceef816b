"""Check what only the whole configuration can show: references to nothing, and declarations that a policy forbids."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from agent_sync.config.effective import Config, signed_of, signers_of, tool_directories
from agent_sync.config.errors import raise_first
from agent_sync.config.layer import Origins, Section
from agent_sync.config.model import Override, TemplateTransform
from agent_sync.errors import AgentSyncError, ConfigInvalid, UnknownTool, UnsafePath, Untrusted
from agent_sync.events import Warned
from agent_sync.ports import Kind
from agent_sync.sources.addresses import in_allow_list, protocol_of
from agent_sync.sources.base import Declaration
from agent_sync_oci.text import closest, quoted, redact

if TYPE_CHECKING:
    from agent_sync.ports import Directory


def check_consistency(config: Config, project: Directory) -> None:
    """Raise unless every reference is valid and every requirement of `security` is met by what is declared.

    Raises:
        ConfigInvalid: a source or override file that is missing, a target with no destination or with two.
        UnknownTool: a target names a tool that is neither built in nor defined.
        Untrusted: `security` forbids a repository, protocol or transform, or requires a signature that nobody can give.
        UnsafePath: an override's file is reached through a link.
    """
    check = _Checking(config)
    if problems := (*check.targets(), *check.transforms(), *check.sources(), *check.overrides(project)):
        raise_first(problems)


def unused_sources(config: Config) -> Iterator[Warned]:
    """Yield a warning for each source that no target names (spec §7.3 rule 3)."""
    used = {target.source for target in config.targets}
    for index, source in enumerate(config.sources):
        if source.name not in used:
            message = (
                "no target uses this source, so nothing is written; add one under `targets:`, or remove the source"
            )
            yield Warned("unused-source", f"source {source.name}", message, config.place_of("sources", index, "name"))


class _Checking:
    """One pass over a configuration; every method yields what is wrong, in the order of the files."""

    def __init__(self, config: Config) -> None:
        assert config.origins is not None
        self._config = config
        self._at: Origins = config.origins
        self._names = [source.name for source in config.sources]

    def targets(self) -> Iterator[AgentSyncError]:
        tools = tool_directories(self._config)
        for index, target in enumerate(self._config.targets):
            if target.source not in self._names:
                yield self._no_source("targets", index, target.source)
            if target.tools and target.destination is not None:
                check = "`tools` and `destination` are mutually exclusive"
                remedy = "keep one of them; another target may have the other"
                yield self._at.problem("targets", index, "destination", check=check, remedy=remedy, key=True)
            if not target.tools and target.destination is None:
                check = "names neither `tools` nor `destination`"
                remedy = "add `tools: [cursor]` or `destination: .custom/`"
                yield self._at.problem("targets", index, check=check, remedy=remedy)
            for position, tool in enumerate(target.tools):
                if tool not in tools:
                    yield self._no_tool(index, position, tool, list(tools))

    def transforms(self) -> Iterator[AgentSyncError]:
        security = self._config.security
        for index, transform in enumerate(self._config.transforms):
            if transform.source not in self._names:
                yield self._no_source("transforms", index, transform.source)
            is_template = isinstance(transform, TemplateTransform)
            if not (security.templates if is_template else security.custom_transforms):
                switch = "templates" if is_template else "custom_transforms"
                check = f"{transform.type} transforms are switched off (`security: {switch}: off`)"
                remedy = "remove the transform, or ask the owner of that file to allow it"
                yield self._at.problem("transforms", index, "type", check=check, remedy=remedy, error=Untrusted)

    def sources(self) -> Iterator[AgentSyncError]:
        allowed = self._config.security.protocols
        for index, source in enumerate(self._config.sources):
            declared = source.declaration
            if declared.address is None:
                continue
            if (protocol := protocol_of(declared.address)) not in allowed:
                check = f"the protocol {protocol} is not allowed (`security: protocols: [{', '.join(allowed)}]`)"
                remedy = "use an address with one of those"
                key = declared.location_key
                yield self._at.problem("sources", index, key, check=check, remedy=remedy, error=Untrusted)
            if declared.is_repository:
                yield from self._repository(index, source.name, declared)

    def overrides(self, project: Directory) -> Iterator[AgentSyncError]:
        for index, override in enumerate(self._config.overrides):
            if (fault := _override_problem(override, project)) is not None:
                check, remedy, error = fault
                yield self._at.problem("overrides", index, "file", check=check, remedy=remedy, error=error)

    def _repository(self, index: int, name: str, declared: Declaration) -> Iterator[AgentSyncError]:
        key, address = declared.location_key, declared.address or ""
        for patterns in self._config.security.repositories:
            if not in_allow_list(address, patterns):
                check = f"the repository {quoted(redact(address))} is not allowed"
                listed = ", ".join(patterns) if patterns else "none at all"
                remedy = f"allowed under `security: repositories:` is: {listed}"
                yield self._at.problem("sources", index, key, check=check, remedy=remedy, error=Untrusted)
        signed = signed_of(name, self._config)
        if signed and signers_of(name, self._config) is None:
            check = f"a signed {' and '.join(signed)} is required, but no signers are named"
            remedy = "name `allowed_signers:` (ssh) or `keyring:` (OpenPGP), here or under `security:`"
            inside = ("signed",) if declared.signed is not None else ()
            yield self._at.problem("sources", index, *inside, check=check, remedy=remedy, error=Untrusted)

    def _no_source(self, section: Section, index: int, name: str) -> AgentSyncError:
        check, remedy = f"unknown source {quoted(name)}", self._config.remedy_for(name)
        return self._at.problem(section, index, "source", check=check, remedy=remedy)

    def _no_tool(self, index: int, position: int, name: str, known: list[str]) -> AgentSyncError:
        near = closest(name, known)
        first = f"did you mean {quoted(near)}?" if near is not None else f"Known are: {', '.join(known)}."
        return self._at.problem(
            "targets",
            index,
            "tools",
            position,
            check=f"unknown tool {quoted(name)}",
            remedy=f"{first} Define your own under tool_definitions.",
            error=UnknownTool,
        )


def _override_problem(override: Override, project: Directory) -> tuple[str, str | None, type[AgentSyncError]] | None:
    """Return why the override's file cannot be used: check, remedy and kind of error; None if it can."""
    try:
        stat = project.stat(override.file)
    except UnsafePath as error:
        return error.check, error.remedy, UnsafePath
    if stat is None:
        check = f"the file {quoted(override.file)} does not exist"
        return check, f"create it below {project.name}, or correct `file:`", ConfigInvalid
    if stat.kind is Kind.LINK:
        return f"{quoted(override.file)} is a symbolic link", "name the file that it leads to", UnsafePath
    if stat.kind is not Kind.FILE:
        return f"{quoted(override.file)} is not a regular file", "name a file", ConfigInvalid
    return None
