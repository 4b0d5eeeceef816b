"""Whatever stands in a file: it is read, or refused by an error of ours that has a spot. Nothing else comes out."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as some
from hypothesis.strategies import SearchStrategy
from pydantic import BaseModel

from agent_sync.config import ConfigPath
from agent_sync.config.layer import Layer, Level, read_layer
from agent_sync.config.load import merge_layers
from agent_sync.config.model import (
    SOURCE_MODELS,
    ConfigFile,
    CustomTransform,
    LimitsConfig,
    Override,
    SecurityConfig,
    Target,
    TrustConfig,
    TrustRule,
)
from agent_sync.documents import emit
from agent_sync.errors import AgentSyncError

_WORDS = ["git", "url", "local", "custom", "tag", "append", "on", "off", "100MB", "2m", "x", "../x", "https://h/r", ""]
_LEVELS: list[Level] = ["policy", "system", "user", "project"]

_scalars = (
    some.none()
    | some.booleans()
    | some.integers(-3, 3)
    | some.floats(allow_nan=False, allow_infinity=False)
    | some.sampled_from(_WORDS)
    | some.text(max_size=8)
)
_values: SearchStrategy[Any] = some.recursive(
    _scalars,
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def _like(*models: type[BaseModel]) -> SearchStrategy[dict[str, Any]]:
    """Mappings with some of the keys that one of these models has, and a few others."""
    keys = sorted({key for model in models for key in model.model_fields})
    return some.dictionaries(some.sampled_from(keys) | some.text(max_size=5), _values, max_size=len(keys))


_sections: dict[str, SearchStrategy[Any]] = {
    "sources": some.lists(_like(*(SOURCE_MODELS[name] for name in ("git", "url", "local"))), max_size=3),
    "targets": some.lists(_like(Target), max_size=3),
    "overrides": some.lists(_like(Override), max_size=2),
    "transforms": some.lists(_like(CustomTransform), max_size=2),
    "limits": _like(LimitsConfig),
    "security": _like(SecurityConfig),
    "trust": _like(TrustConfig) | some.fixed_dictionaries({"rules": some.lists(_like(TrustRule), max_size=2)}),
    "variables": some.dictionaries(some.text(max_size=5), _values, max_size=3),
}
_files = some.fixed_dictionaries({"version": some.just(1)}, optional=_sections) | _like(ConfigFile)


def outcome(data: dict[str, Any], level: Level) -> Layer | AgentSyncError:
    """What reading the data gives, or the error that it raises."""
    try:
        return read_layer(emit(data).encode(), ConfigPath("/f", "the-file"), level=level)
    except AgentSyncError as error:
        return error


@settings(max_examples=300)
@given(data=_files, level=some.sampled_from(_LEVELS))
def test_any_file_is_read_or_refused_with_a_spot(data: dict[str, Any], level: Level) -> None:
    result = outcome(data, level)
    if isinstance(result, Layer):
        assert merge_layers((result,), ()).origins is not None
        return
    assert result.place is not None
    assert result.place.file == "the-file"
    assert result.subject.startswith("the-file")
    assert result.check.isprintable()
