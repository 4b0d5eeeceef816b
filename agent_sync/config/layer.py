"""Read one configuration file as a layer.

The order of trust: syntax (strict YAML), version, shape and values, keys that must not be misspelt, names that must not
be declared twice.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from agent_sync.config.discovery import ConfigPath
from agent_sync.config.errors import Path, config_error, format_path, raise_first, validation_errors
from agent_sync.config.model import SOURCE_MODELS, VERSION, ConfigFile, LimitsConfig, PolicyFile, SecurityConfig
from agent_sync.documents import Document, read_document
from agent_sync.errors import AgentSyncError, ConfigInvalid, Place
from agent_sync.events import Warned
from agent_sync_oci.text import quoted

# -- unknown keys: ignored with a warning (spec §14.3), unless a slip could switch a protection off --------------------

_PROTECTING_SECTIONS = ("security", "trust", "limits")
_MIN_RATIO = 0.75
_SECTION_OF = {
    **dict.fromkeys(LimitsConfig.model_fields, "limits"),
    **dict.fromkeys(SecurityConfig.model_fields, "security"),
}


class UnknownKey(NamedTuple):
    """A key that is not known at its path, and those that are."""

    path: Path
    known: tuple[str, ...]

    @property
    def name(self) -> str:
        """Return the key itself."""
        return str(self.path[-1])

    @property
    def protecting(self) -> tuple[str, ...]:
        """Return the keys beside it that protect something."""
        above = self.path[:-1]
        if any(part in _PROTECTING_SECTIONS for part in above):
            return self.known
        return tuple(key for key in self.known if key in (*_PROTECTING_SECTIONS, "signed"))


def unknown_keys(model: BaseModel, data: Any, path: Path = ()) -> Iterator[UnknownKey]:  # noqa: ANN401
    """Yield every key of `data`, from which `model` was made, that the model has no field for."""
    for key, value in data.items():
        if key not in type(model).model_fields:
            yield UnknownKey((*path, key), tuple(type(model).model_fields))
            continue
        read = getattr(model, key)
        if isinstance(read, BaseModel) and isinstance(value, Mapping):
            yield from unknown_keys(read, value, (*path, key))
        elif isinstance(read, tuple) and isinstance(value, list | tuple):
            for index, (part, item) in enumerate(zip(read, value, strict=True)):
                if isinstance(part, BaseModel):
                    yield from unknown_keys(part, item, (*path, key, index))


def unknown_key_error(unknown: UnknownKey, document: Document, *, strictly: bool) -> AgentSyncError | None:
    """Return the error for a key that may not be ignored: any key with `strictly`, else one that looks like a
    protection.
    """
    near = _protection_meant(unknown.name, unknown.protecting)
    home = _SECTION_OF.get(unknown.name)
    if near is not None:
        remedy = f"did you mean `{near}`? it is not ignored, since a slip here would switch a protection off"
    elif home is not None:
        types = [name for name, model in SOURCE_MODELS.items() if unknown.name in model.model_fields]
        on_a_source = f" or on a {' or '.join(types)} source" if types else ""
        remedy = f"put it under `{home}:`{on_a_source}; here it would protect nothing"
    elif strictly:
        remedy = f"known here are: {', '.join(unknown.known)}"
    else:
        return None
    check = f"unknown key {quoted(unknown.name)}"
    return config_error(document, unknown.path, check=check, remedy=remedy, key=True)


def _protection_meant(name: str, protecting: Iterable[str]) -> str | None:
    """Return the protection that the name is meant for; stricter than a suggestion: `secrets` is no slip for
    `security`.
    """
    from difflib import SequenceMatcher

    from agent_sync_oci.text import closest

    near = closest(name, protecting)
    if near is None or SequenceMatcher(None, name.casefold(), near).ratio() < _MIN_RATIO:
        return None
    return near


def unknown_key_warning(unknown: UnknownKey, document: Document) -> Warned:
    """Return the warning for a key that is ignored."""
    from agent_sync_oci.text import closest

    near = closest(unknown.name, unknown.known)
    place = document.place(unknown.path, key=True)
    hint = f"; did you mean `{near}`?" if near is not None else ""
    where = format_path(unknown.path[:-1]) or "the file"
    message = f"unknown key {quoted(unknown.name)} in {where} is ignored{hint}"
    return Warned("unknown-key", place.file, message, place)


# -- reading one file --------------------------------------------------------------------------------------------------

MAX_CONFIG_BYTES = 1024 * 1024

Level = Literal["policy", "system", "user", "project"]
Model = TypeVar("Model", bound=BaseModel)


class Layer(NamedTuple):
    """One file: its level, location and content, what it declares, and the warnings from reading it."""

    level: Level
    file: ConfigPath
    document: Document
    says: ConfigFile
    warnings: tuple[Warned, ...] = ()


def read_layer(content: bytes, file: ConfigPath, *, level: Level) -> Layer:
    """Read one configuration file.

    Raises:
        ConfigInvalid: syntax, version, schema, a misspelt protection, a name that is declared twice.
        UnsafePath: a path that leaves the project root or bears a name that is not allowed.
        LimitExceeded: the file is larger than 1 MiB.
    """
    document = _parse(content, file)
    if level == "policy":
        return Layer(level, file, document, _policy(document, file))
    _refuse_other_version(document)
    says = _validate(document, ConfigFile, file, of_machine=level != "project")
    unknown = tuple(unknown_keys(says, _drop_empty(document.data)))
    faults = {each.path: unknown_key_error(each, document, strictly=False) for each in unknown}
    if problems := [*_present(faults.values()), *_empty_protections(document), *_duplicates(document, says)]:
        raise_first(problems)
    warnings = tuple(unknown_key_warning(each, document) for each in unknown)
    return Layer(level, file, document, says, warnings)


def require_known_version(content: bytes, file: ConfigPath) -> None:
    """Raise ConfigInvalid unless the file is YAML of a version that this program reads."""
    _refuse_other_version(_parse(content, file))


def _policy(document: Document, file: ConfigPath) -> ConfigFile:
    """Read the machine's policy, strictly, as a configuration that declares nothing but requirements."""
    if "version" in document.data:
        _refuse_other_version(document)
    says = _validate(document, PolicyFile, file, of_machine=True)
    unknown = unknown_keys(says, _drop_empty(document.data))
    faults = _present(unknown_key_error(each, document, strictly=True) for each in unknown)
    if problems := [*faults, *_empty_protections(document)]:
        raise_first(problems)
    return ConfigFile(version=1, limits=says.limits, security=says.security, trust=says.trust)


def _parse(content: bytes, file: ConfigPath) -> Document:
    return read_document(content, file=file.shown, error=ConfigInvalid, max_bytes=MAX_CONFIG_BYTES)


def _refuse_other_version(document: Document) -> None:
    """Raise ConfigInvalid unless the version is known: it decides what everything else means, so it is checked
    first.
    """
    version = document.data.get("version")
    if type(version) is int and version == VERSION:
        return
    remedy = f"write `version: {VERSION}`"
    if version is None:
        check, remedy = "`version` is missing", f"add `version: {VERSION}`"
    elif type(version) is int:
        check = f"version {version} is not known; this agent-sync reads version {VERSION}"
        remedy = f"upgrade agent-sync, or write `version: {VERSION}` in every configuration file"
    elif isinstance(version, str):
        check = f"must be the number {VERSION}, not the text {quoted(version)}"
    else:
        check = f"must be the number {VERSION}"
    raise config_error(document, ("version",), check=check, remedy=remedy)


def _validate(document: Document, model: type[Model], file: ConfigPath, *, of_machine: bool) -> Model:
    context = {"of_machine": of_machine, "directory": posixpath.dirname(file.path)}
    try:
        return model.model_validate(_drop_empty(document.data), context=context)
    except ValidationError as error:
        raise_first(validation_errors(error, document, model))


def _drop_empty(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data without keys that have no value: `sources:` alone is as good as no `sources`. Variables may be
    empty.
    """
    return {
        key: value if key == "variables" else _drop_empty_below(value)
        for key, value in data.items()
        if value is not None
    }


def _drop_empty_below(value: Any) -> Any:  # noqa: ANN401  # a document's data of any shape
    if isinstance(value, Mapping):
        return {
            key: each if key == "vars" else _drop_empty_below(each) for key, each in value.items() if each is not None
        }
    if isinstance(value, list | tuple):
        return [_drop_empty_below(each) for each in value]
    return value


def _empty_protections(document: Document) -> Iterator[AgentSyncError]:
    """Yield an error for each protection without a value: someone meant to have one."""
    for path in _empty_paths(document.data, ()):
        if any(part in _PROTECTING_SECTIONS for part in path[:-1]) or _is_signed(path):
            yield config_error(
                document, path, check="has no value", remedy="give it one, or leave the key out", key=True
            )


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
    yield from _duplicate_names(document, "sources", [each.name for each in says.sources])
    yield from _duplicate_names(document, "tool_definitions", [each.name for each in says.tool_definitions])


def _duplicate_names(document: Document, section: str, names: Sequence[str]) -> Iterator[AgentSyncError]:
    first: dict[str, int] = {}
    for index, name in enumerate(names):
        if first.setdefault(name, index) != index:
            earlier = document.place((section, first[name], "name"))
            check = f"the name {quoted(name)} is taken: see line {earlier.line}"
            yield config_error(document, (section, index, "name"), check=check, remedy="rename one of the two")


def _present(faults: Iterable[AgentSyncError | None]) -> list[AgentSyncError]:
    return [each for each in faults if each is not None]


# -- origins of the parts of a merged configuration --------------------------------------------------------------------

Section = Literal["sources", "tool_definitions", "targets", "overrides", "transforms"]


class Origins(NamedTuple):
    """The file that each part of a merged configuration comes from, and its position there."""

    parts: Mapping[tuple[Section, int], tuple[Layer, int]]

    def place(self, section: Section, index: int, *inside: str | int) -> Place:
        """Return the position of the declaration, or of the value `inside` it."""
        layer, there = self.parts[section, index]
        return layer.document.place((section, there, *inside))

    def problem(
        self,
        section: Section,
        index: int,
        *inside: str | int,
        check: str,
        remedy: str | None,
        error: type[AgentSyncError] = ConfigInvalid,
        key: bool = False,
    ) -> AgentSyncError:
        """Return the error about the part, or about the value `inside` it."""
        layer, there = self.parts[section, index]
        return config_error(layer.document, (section, there, *inside), check=check, remedy=remedy, error=error, key=key)
