"""YAML text as a stream of the parser's events; where the parser gives up, a refusal in our words.

Events are the lowest door of the library: no object is built, no tag is looked up, nothing recurses.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    Event,
    MappingStartEvent,
    ScalarEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from agent_sync.documents.text import SourceText, Span, quoted

__all__ = [
    "FASTEST",
    "AliasEvent",
    "CollectionEndEvent",
    "CollectionStartEvent",
    "Event",
    "MappingStartEvent",
    "ScalarEvent",
    "SequenceStartEvent",
    "events_of",
    "span_of",
]

FASTEST: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The parser in C where PyYAML was built with it; the other one reads the same, ten times slower."""

_REMEDIES = (
    ("mapping values are not allowed", "put text with a colon and a blank in quotes, and look at the indentation"),
    ("cannot start any token", "put the text in quotes"),
    ("end of stream", "close the quote or the bracket"),
    ("expected ',' or", "close the bracket, or put a comma between"),
    ("escape", "write a backslash in double quotes twice, or use single quotes"),
)


def events_of(source: SourceText, *, parser: type[Any] = FASTEST) -> Iterator[Event]:
    """Every event of the stream up to its end, in order.

    Raises:
        source.error: from here on it is not YAML.
    """
    loader = parser(source.text)
    last: Event | None = None
    try:
        while not isinstance(event := loader.get_event(), StreamEndEvent):
            last = event
            yield event
    except yaml.MarkedYAMLError as fault:
        raise _refusal(source, fault) from None
    except (yaml.YAMLError, ValueError, OverflowError) as fault:  # the parser in Python converts escapes unchecked
        after = Span(0, 0) if last is None else span_of(source, last)
        raise source.refusal(after, check=f"it is not YAML: {quoted(str(fault))}", remedy=_remedy("escape")) from None
    finally:
        loader.dispose()


def span_of(source: SourceText, event: Event) -> Span:
    """Where the event stands; what goes on over several lines is as wide as its first one."""
    start, end = event.start_mark, event.end_mark
    assert start is not None
    assert end is not None
    if start.line == end.line and end.column > start.column:
        return Span(start.line, start.column, end.column - start.column)
    return Span(start.line, start.column, len(source.text))


def _refusal(source: SourceText, fault: yaml.MarkedYAMLError) -> Exception:
    problem = fault.problem or "unknown syntax"
    where = fault.problem_mark or fault.context_mark
    if "end of stream" in problem and fault.context_mark is not None:
        where = fault.context_mark  # where the quote was opened says more than where the file ends
    span = Span(0, 0) if where is None else Span(where.line, where.column)
    return source.refusal(span, check=f"it is not YAML: {quoted(problem)}", remedy=_remedy(problem))


def _remedy(problem: str) -> str:
    fitting = (remedy for part, remedy in _REMEDIES if part in problem)
    return next(fitting, "look at the indentation and the line before")
