"""Load the configuration in force: read every file, merge the layers, and check every reference.

Layers are merged in the order of rising precedence: system, user, project (spec §3.3; for what the spec does not name,
docs/reference/configuration.md).
"""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from agent_sync.config.check import check_consistency, unused_sources
from agent_sync.config.discovery import NAME, ConfigPath, ConfigPaths
from agent_sync.config.effective import SPEC_TOOL_MAP, TOOL_MAPS, Config, combined_policy, effective_signers
from agent_sync.config.layer import Layer, Level, Origins, Section, read_layer
from agent_sync.config.model import Target
from agent_sync.errors import ConfigInvalid, FileSystemError
from agent_sync.events import Warned
from agent_sync.limits import Limits
from agent_sync.sources.base import Signers
from agent_sync_oci.records import record

if TYPE_CHECKING:
    from agent_sync.ports import Directory


# -- merging -----------------------------------------------------------------------------------------------------------


@record
class _Placed:
    """A part, the layer that it comes from (as a position among all), and its position there."""

    part: Any
    level: int
    index: int


def merge_layers(layers: Sequence[Layer], policies: Sequence[Layer]) -> Config:
    """Return what all the layers declare together, under the requirements of all of them and of the policies."""
    return _assemble(_gather(layers), layers, layers, policies)


def project_layer_alone(project: Layer, layers: Sequence[Layer], policies: Sequence[Layer]) -> Config:
    """Return what the project's own file declares, under the same requirements: all that the shared lock may depend on.

    Its targets and transforms of sources that only another layer declares are left out, and so are tools that only
    another layer defines: those belong to the machine that has that layer.
    """
    level = layers.index(project)
    parts = _gather([project], first_level=level)
    names = {each.part.name for each in parts["sources"]}
    tools = {*TOOL_MAPS[_tool_map([project])], *(each.part.name for each in parts["tool_definitions"])}
    parts["targets"] = [
        kept for each in parts["targets"] if (kept := _restrict_to_known(each, names, tools)) is not None
    ]
    parts["transforms"] = [each for each in parts["transforms"] if each.part.source in names]
    return _assemble(parts, [project], layers, policies)


def _restrict_to_known(placed: _Placed, names: set[str], tools: set[str]) -> _Placed | None:
    target: Target = placed.part
    known = tuple(tool for tool in target.tools if tool in tools)
    if target.source not in names or (target.destination is None and not known):
        return None
    return _Placed(target.model_copy(update={"tools": known}), placed.level, placed.index)


def _gather(layers: Iterable[Layer], *, first_level: int = 0) -> dict[Section, list[_Placed]]:
    """Return the parts of every section in merged order, each with its origin."""
    gathered: dict[Section, list[_Placed]] = {"targets": [], "overrides": [], "transforms": []}
    by_name: dict[Section, dict[str, _Placed]] = {"sources": {}, "tool_definitions": {}}
    for level, layer in enumerate(layers, first_level):
        for named, parts in by_name.items():
            for index, part in enumerate(getattr(layer.says, named)):
                parts[part.name] = _Placed(part, level, index)  # whole replacement, at the place that the name had
        for section, placed in gathered.items():
            placed.extend(_Placed(part, level, index) for index, part in enumerate(getattr(layer.says, section)))
    return {**gathered, **{named: list(parts.values()) for named, parts in by_name.items()}}


def _assemble(
    parts: Mapping[Section, Sequence[_Placed]],
    declaring: Sequence[Layer],
    demanding: Sequence[Layer],
    policies: Sequence[Layer],
) -> Config:
    files = [*policies, *demanding]
    says = [layer.says for layer in declaring]
    return Config(
        tool_map=_tool_map(declaring),
        limits=_limits(demanding, policies),
        security=combined_policy(file.says.security for file in files),
        variables=_variables(declaring),
        sources=tuple(each.part for each in parts["sources"]),
        tool_definitions=tuple(each.part for each in parts["tool_definitions"]),
        targets=tuple(each.part for each in parts["targets"]),
        overrides=tuple(each.part for each in parts["overrides"]),
        transforms=tuple(each.part for each in parts["transforms"]),
        caches=tuple(dict.fromkeys(place for file in says for place in file.caches)),
        bundle=next((file.bundle for file in reversed(says) if file.bundle is not None), None),
        trust=tuple(file.says.trust for file in files if file.says.trust is not None),
        signers=_signers(parts["sources"], demanding, policies),
        origins=Origins(
            {
                (section, position): (demanding[each.level], each.index)
                for section, placed in parts.items()
                for position, each in enumerate(placed)
            }
        ),
    )


def _tool_map(layers: Sequence[Layer]) -> str:
    named = (layer.says.tool_map for layer in reversed(layers))
    return next((each for each in named if each is not None), SPEC_TOOL_MAP)


def _limits(layers: Iterable[Layer], policies: Sequence[Layer]) -> Limits:
    """Return the limits: a higher layer replaces a limit of a lower one, and nobody exceeds a limit of a policy."""
    limits = Limits()
    for layer in layers:
        limits = layer.says.limits.over(limits)
    for policy in policies:
        limits = limits.lowered_by(policy.says.limits.over(limits))
    return limits


def _variables(layers: Iterable[Layer]) -> Mapping[str, Any]:
    variables: Mapping[str, Any] = {}
    for layer in layers:
        variables = _merge_mappings(variables, layer.says.variables)
    return variables


def _merge_mappings(lower: Mapping[str, Any], higher: Mapping[str, Any]) -> dict[str, Any]:
    """Return both mappings in one; where both have a key, mappings are merged and anything else is the higher one's."""
    together = dict(lower)
    for key, value in higher.items():
        below = together.get(key)
        together[key] = (
            _merge_mappings(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
        )
    return together


def _signers(sources: Iterable[_Placed], layers: Sequence[Layer], policies: Sequence[Layer]) -> Mapping[str, Signers]:
    named = [layer.says.security.signers for layer in (*policies, *layers)]
    found = {
        each.part.name: effective_signers(each.part.declaration.signers, each.level + len(policies), named)
        for each in sources
        if each.part.declaration.is_repository
    }
    return {name: signers for name, signers in found.items() if signers is not None}


# -- loading -----------------------------------------------------------------------------------------------------------

ReadFile = Callable[[str], bytes | None]
"""The bytes of the file at an absolute path, None if there is no file; FileSystemError if it cannot be read.

What comes after the first `layer.MAX_CONFIG_BYTES` + 1 bytes may be left out.
"""


class LoadedConfig(NamedTuple):
    """What is declared, in two views under the same policy, and the files that it was read from.

    `project` is what the shared lock depends on: the project's own file (or everything, if there is none). `merged` is
    every layer's. `layers` are the files that exist, system first, the project last.
    """

    project: Config
    merged: Config
    layers: tuple[Layer, ...]
    policies: tuple[Layer, ...]
    warnings: tuple[Warned, ...]


def load(places: ConfigPaths, read: ReadFile, project: Directory) -> LoadedConfig:
    """Load everything that is declared for the project, whose root is `project`.

    Raises:
        ConfigInvalid: no file at all, or one that is wrong in itself or together with the others.
        UnknownTool, Untrusted, UnsafePath, LimitExceeded: see `layer.read_layer` and `check.check_consistency`.
        FileSystemError: a file exists and cannot be read.
    """
    policies = _read_policies(places, read)
    layers = _read_layers(places, read)
    if not layers:
        raise _no_configuration(places, read)
    everything = merge_layers(layers, policies)
    ignored = tuple(each for layer in layers for each in layer.warnings)
    with _mentioning(ignored):
        check_consistency(everything, project)
    has_own = len(layers) > 1 and layers[-1].level == "project"
    return LoadedConfig(
        project=project_layer_alone(layers[-1], layers, policies) if has_own else everything,
        merged=everything,
        layers=layers,
        policies=policies,
        warnings=(*ignored, *unused_sources(everything)),
    )


@contextmanager
def _mentioning(ignored: Sequence[Warned]) -> Iterator[None]:
    """Add the keys that were ignored to an error's remedy: `surces:` is why no source is declared."""
    try:
        yield
    except ConfigInvalid as error:
        if not ignored:
            raise
        told = "; ".join(f"{each.place or each.subject}: {each.message}" for each in ignored)
        raise error.restated(remedy=told if error.remedy is None else f"{error.remedy}\n{told}") from error


def is_declared(places: ConfigPaths, read: ReadFile) -> bool:
    """Return whether any configuration is declared; one that was named counts even if it does not exist."""
    files = [each for each in (places.project, *((places.system, places.user) if places.inherit else ())) if each]
    return any(each.required or read(each.path) is not None for each in files)


def load_policies(places: ConfigPaths, read: ReadFile) -> Config:
    """Return the policies' requirements alone, on a configuration that declares nothing: all that `sync --frozen`
    reads.
    """
    return merge_layers((), _read_policies(places, read))


def _read_policies(places: ConfigPaths, read: ReadFile) -> tuple[Layer, ...]:
    found = (_read_file(file, "policy", read) for file in places.policies)
    return tuple(layer for layer in found if layer is not None)


def _read_layers(places: ConfigPaths, read: ReadFile) -> tuple[Layer, ...]:
    inherited: list[tuple[ConfigPath | None, Level]] = [(places.system, "system"), (places.user, "user")]
    wanted = [*(inherited if places.inherit else []), (places.project, "project")]
    found = [_read_file(file, level, read) for file, level in wanted if file is not None]
    return tuple(layer for layer in found if layer is not None)


def _read_file(file: ConfigPath, level: Level, read: ReadFile) -> Layer | None:
    content = read(file.path)
    if content is not None:
        return read_layer(content, file, level=level)
    if file.required:
        remedy = renaming(file, read) or "correct the path that was given"
        raise ConfigInvalid(subject=file.shown, check="no such file", remedy=remedy)
    return None


def renaming(file: ConfigPath, read: ReadFile) -> str | None:
    """Return the advice to rename a file beside it that has the other usual ending."""
    stem, dot, ending = file.path.rpartition(".")
    other = {"yaml": "yml", "yml": "yaml"}.get(ending)
    if not dot or other is None:
        return None
    with suppress(FileSystemError):
        if read(f"{stem}.{other}") is not None:
            named = posixpath.basename(stem)
            return f"found {named}.{other}: rename it to {named}.{ending}"
    return None


def _no_configuration(places: ConfigPaths, read: ReadFile) -> ConfigInvalid:
    others = [file.shown for file in (places.system, places.user) if file is not None]
    both = f"neither {' nor '.join(others)} exists" if len(others) > 1 else f"{''.join(others)} does not exist"
    elsewhere = f", and {both}" if places.inherit and others else ""
    above = _parent_with_config(places.root, read)
    make = (
        "create one: agent-sync init"
        if above is None
        else f"the nearest one is in a parent directory: cd {shlex.quote(above)}"
    )
    return ConfigInvalid(
        subject=places.project.shown,
        check=f"not found in {places.root}{elsewhere}",
        remedy=renaming(places.project, read) or make,
    )


def _parent_with_config(directory: str, read: ReadFile) -> str | None:
    """Return the nearest parent directory that has a configuration, which somebody used to git expects to be found."""
    while directory != (directory := posixpath.dirname(directory)):
        with suppress(FileSystemError):
            if read(posixpath.join(directory, NAME)) is not None:
                return directory
    return None
