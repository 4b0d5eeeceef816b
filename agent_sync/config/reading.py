"""Bytes of one configuration file -> what it says, with a spot for everything that is wrong with it.

The order of trust: syntax (strict YAML), version, shape and values, keys that must not be misspelt, names that must not
stand twice.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ValidationError

from agent_sync.config.discovery import ConfigPath
from agent_sync.config.faults import faults_in
from agent_sync.config.model import VERSION, ConfigFile, PolicyFile
from agent_sync.config.problems import Path, problem, raise_first
from agent_sync.config.unknown import fault_of, unknown_keys, warning_of
from agent_sync.documents import Document, read_document
from agent_sync.errors import AgentSyncError, ConfigInvalid
from agent_sync.escaping import shown
from agent_sync.events import Warned

MAX_CONFIG_BYTES = 1024 * 1024

Level = Literal["policy", "system", "user", "project"]
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Layer:
    """One file: which it is, where it lies, what it says, and the warnings that reading it gave."""

    level: Level
    file: ConfigPath
    document: Document
    says: ConfigFile
    warnings: tuple[Warned, ...] = ()


def read_layer(content: bytes, file: ConfigPath, *, level: Level) -> Layer:
    """What the file says.

    Raises:
        ConfigInvalid: syntax, version, schema, a misspelt protection, a name that is declared twice.
        UnsafePath: a path that leaves the project root or bears a name that is not allowed.
        LimitExceeded: it is larger than 1 MiB.
    """
    document = _read(content, file)
    if level == "policy":
        return Layer(level, file, document, _policy(document, file))
    _refuse_other_version(document)
    says = _validated(document, ConfigFile, file, of_machine=level != "project")
    unknown = tuple(unknown_keys(says, _without_empty(document.data)))
    faults = {each.path: fault_of(each, document, strictly=False) for each in unknown}
    raise_first([*_present(faults.values()), *_empty_protections(document), *_duplicates(document, says)])
    warnings = tuple(warning_of(each, document) for each in unknown)
    return Layer(level, file, document, says, warnings)


def _policy(document: Document, file: ConfigPath) -> ConfigFile:
    """The machine's policy as a configuration that declares nothing but demands; it is read strictly."""
    if "version" in document.data:
        _refuse_other_version(document)
    says = _validated(document, PolicyFile, file, of_machine=True)
    unknown = unknown_keys(says, _without_empty(document.data))
    faults = _present(fault_of(each, document, strictly=True) for each in unknown)
    raise_first([*faults, *_empty_protections(document)])
    return ConfigFile(version=1, limits=says.limits, security=says.security, trust=says.trust)


def _read(content: bytes, file: ConfigPath) -> Document:
    return read_document(content, file=file.shown, error=ConfigInvalid, max_bytes=MAX_CONFIG_BYTES)


def _refuse_other_version(document: Document) -> None:
    """The version decides what everything else means, so nothing else is said before it is right."""
    version = document.data.get("version")
    if type(version) is int and version == VERSION:
        return
    remedy = f"write `version: {VERSION}`"
    if version is None:
        check, remedy = "`version` is missing", f"add `version: {VERSION}`"
    elif type(version) is int:
        check = f"version {version} is not known; this agent-sync reads version {VERSION}"
        remedy = f"use an agent-sync that knows it, or write `version: {VERSION}` in every configuration file"
    elif isinstance(version, str):
        check = f"must be the number {VERSION}, not the text {shown(version)}"
    else:
        check = f"must be the number {VERSION}"
    raise problem(document, ("version",), check=check, remedy=remedy)


def _validated(document: Document, model: type[Model], file: ConfigPath, *, of_machine: bool) -> Model:
    context = {"of_machine": of_machine, "folder": posixpath.dirname(file.path)}
    try:
        return model.model_validate(_without_empty(document.data), context=context)
    except ValidationError as error:
        raise_first(faults_in(error, document, model))
        raise AssertionError("a validation error without errors") from error


def _without_empty(data: Mapping[str, Any]) -> dict[str, Any]:
    """The data without keys that have no value: `sources:` alone is as good as no `sources`. Variables may be empty."""
    return {key: value if key == "variables" else _kept(value) for key, value in data.items() if value is not None}


def _kept(value: Any) -> Any:  # noqa: ANN401  # a document's data of any shape
    if isinstance(value, Mapping):
        return {key: each if key == "vars" else _kept(each) for key, each in value.items() if each is not None}
    if isinstance(value, list | tuple):
        return [_kept(each) for each in value]
    return value


def _empty_protections(document: Document) -> Iterator[AgentSyncError]:
    """A protection without a value: someone meant to have one."""
    for path in _empty_paths(document.data, ()):
        if any(part in ("security", "trust", "limits") for part in path[:-1]) or _is_signed(path):
            yield problem(document, path, check="has no value", remedy="give it one, or leave the key out", key=True)


def _is_signed(path: Path) -> bool:
    return path[0] == "sources" and path[2:] == ("signed",)


def _empty_paths(data: Any, path: Path) -> Iterator[Path]:  # noqa: ANN401  # a document's data of any shape
    if isinstance(data, Mapping):
        for key, value in data.items():
            if path or key != "variables":
                yield from _empty_paths(value, (*path, key))
    elif isinstance(data, list | tuple):
        for index, value in enumerate(data):
            yield from _empty_paths(value, (*path, index))
    elif data is None and path:
        yield path


def _duplicates(document: Document, says: ConfigFile) -> Iterator[AgentSyncError]:
    yield from _named_twice(document, "sources", [each.name for each in says.sources])
    yield from _named_twice(document, "tool_definitions", [each.name for each in says.tool_definitions])


def _named_twice(document: Document, section: str, names: Sequence[str]) -> Iterator[AgentSyncError]:
    first: dict[str, int] = {}
    for index, name in enumerate(names):
        if first.setdefault(name, index) != index:
            earlier = document.place((section, first[name], "name"))
            check = f"the name {shown(name)} is taken: see line {earlier.line}"
            yield problem(document, (section, index, "name"), check=check, remedy="rename one of the two")


def _present(faults: Iterable[AgentSyncError | None]) -> list[AgentSyncError]:
    return [each for each in faults if each is not None]
