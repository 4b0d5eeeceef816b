"""Several files -> one configuration (spec §3.3; for what the spec does not name, docs/reference/configuration.md).

Layers are given in the order of rising precedence: system, user, project.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent_sync.config.effective import Config
from agent_sync.config.model import GitSource, Target
from agent_sync.config.origins import Origins, Section
from agent_sync.config.reading import Layer
from agent_sync.config.safeguards import Signers, safeguards_of, signers_for
from agent_sync.config.tools import SPEC_TOOL_MAP, TOOL_MAPS
from agent_sync.limits import Limits


@dataclass(frozen=True, slots=True)
class _Placed:
    """A part, the layer that it comes from (as a position among all), and its position there."""

    part: Any
    level: int
    index: int


def merged(layers: Sequence[Layer], policies: Sequence[Layer]) -> Config:
    """What all the layers declare together, under the demands of all of them and of the policies."""
    return _assembled(_gathered(layers), layers, layers, policies)


def alone(project: Layer, layers: Sequence[Layer], policies: Sequence[Layer]) -> Config:
    """What the project's own file declares, under the same demands: all that the shared lock may depend on.

    Its targets and transforms of sources that only another layer declares are left out, and so are tools that only
    another layer defines: those belong to the machine that has that layer.
    """
    level = layers.index(project)
    parts = _gathered([project], first_level=level)
    names = {each.part.name for each in parts["sources"]}
    tools = {*TOOL_MAPS[_tool_map([project])], *(each.part.name for each in parts["tool_definitions"])}
    parts["targets"] = [kept for each in parts["targets"] if (kept := _of_known(each, names, tools)) is not None]
    parts["transforms"] = [each for each in parts["transforms"] if each.part.source in names]
    return _assembled(parts, [project], layers, policies)


def _of_known(placed: _Placed, names: set[str], tools: set[str]) -> _Placed | None:
    target: Target = placed.part
    known = tuple(tool for tool in target.tools if tool in tools)
    if target.source not in names or (target.destination is None and not known):
        return None
    return _Placed(target.model_copy(update={"tools": known}), placed.level, placed.index)


def _gathered(layers: Iterable[Layer], *, first_level: int = 0) -> dict[Section, list[_Placed]]:
    """The parts of every section in merged order, each with where it comes from."""
    gathered: dict[Section, list[_Placed]] = {"targets": [], "overrides": [], "transforms": []}
    by_name: dict[Section, dict[str, _Placed]] = {"sources": {}, "tool_definitions": {}}
    for level, layer in enumerate(layers, first_level):
        for named, parts in by_name.items():
            for index, part in enumerate(getattr(layer.says, named)):
                parts[part.name] = _Placed(part, level, index)  # whole replacement, at the place that the name had
        for section, placed in gathered.items():
            placed.extend(_Placed(part, level, index) for index, part in enumerate(getattr(layer.says, section)))
    return {**gathered, **{named: list(parts.values()) for named, parts in by_name.items()}}


def _assembled(
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
        security=safeguards_of(file.says.security for file in files),
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
    """A higher layer replaces a bound of a lower one; nobody goes above a bound of a policy."""
    limits = Limits()
    for layer in layers:
        limits = layer.says.limits.over(limits)
    for policy in policies:
        limits = limits.lowered_by(policy.says.limits.over(limits))
    return limits


def _variables(layers: Iterable[Layer]) -> Mapping[str, Any]:
    variables: Mapping[str, Any] = {}
    for layer in layers:
        variables = _deeply(variables, layer.says.variables)
    return variables


def _deeply(lower: Mapping[str, Any], higher: Mapping[str, Any]) -> dict[str, Any]:
    """Both mappings in one; where both have a key, mappings are merged and anything else is the higher one's."""
    together = dict(lower)
    for key, value in higher.items():
        below = together.get(key)
        together[key] = _deeply(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return together


def _signers(sources: Iterable[_Placed], layers: Sequence[Layer], policies: Sequence[Layer]) -> Mapping[str, Signers]:
    named = [layer.says.security.signers for layer in (*policies, *layers)]
    found = {
        each.part.name: signers_for(each.part.signers, each.level + len(policies), named)
        for each in sources
        if isinstance(each.part, GitSource)
    }
    return {name: signers for name, signers in found.items() if signers is not None}
