"""YAML text as a stream of the parser's events, and the position of a key or value in it.

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

from agent_sync.documents.source_text import SourceText, Span, excerpt

# -- events ------------------------------------------------------------------------------------------------------------

__all__ = [
    "FASTEST",
    "AliasEvent",
    "CollectionEndEvent",
    "CollectionStartEvent",
    "Event",
    "MappingStartEvent",
    "ScalarEvent",
    "SequenceStartEvent",
    "parse_events",
    "span_of",
]

FASTEST: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The parser in C where PyYAML was built with it; the other one reads the same, ten times slower."""

_REMEDIES = (
    ("mapping values are not allowed", "put text with a colon and a blank in quotes, and look at the indentation"),
    ("cannot start any token", "put the text in quotes"),
    ("end of stream", "close the quote or the bracket"),
    ("expected ',' or", "close the bracket, or put a comma between"),
    ("alphabetic or numeric", 'put globs that start with `*` in quotes: "**/*.png"'),
    ("escape", "write a backslash in double quotes twice, or use single quotes"),
)


def parse_events(source: SourceText, *, parser: type[Any] = FASTEST) -> Iterator[Event]:
    """Yield every event of the stream up to its end, in order.

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
        raise _syntax_error(source, fault) from None
    except (yaml.YAMLError, ValueError, OverflowError) as fault:  # the parser in Python converts escapes unchecked
        after = Span(0, 0) if last is None else span_of(source, last)
        raise source.refusal(after, check=f"invalid YAML: {excerpt(str(fault))}", remedy=_remedy("escape")) from None
    finally:
        loader.dispose()


def span_of(source: SourceText, event: Event) -> Span:
    """Return the position of the event; what goes on over several lines is as wide as its first one."""
    start, end = event.start_mark, event.end_mark
    assert start is not None
    assert end is not None
    if start.line == end.line and end.column > start.column:
        return Span(start.line, start.column, end.column - start.column)
    return Span(start.line, start.column, len(source.text))


def _syntax_error(source: SourceText, fault: yaml.MarkedYAMLError) -> Exception:
    problem = fault.problem or "unknown syntax"
    where = fault.problem_mark or fault.context_mark
    if "end of stream" in problem and fault.context_mark is not None:
        where = fault.context_mark  # where the quote was opened says more than where the file ends
    span = Span(0, 0) if where is None else Span(where.line, where.column)
    return source.refusal(span, check=f"invalid YAML: {excerpt(problem)}", remedy=_remedy(problem))


def _remedy(problem: str) -> str:
    fitting = (remedy for part, remedy in _REMEDIES if part in problem)
    return next(fitting, "look at the indentation and the line before")


# -- positions ---------------------------------------------------------------------------------------------------------


def locate(source: SourceText, path: tuple[str | int, ...], *, key: bool = False) -> Span:
    """Return the span of the value at `path`, or of its key.

    A mapping or list in block style begins with its first key or dash. For what is missing, the span of what should
    hold it is returned: of its key if it has one.
    """
    return _Walk(source).to(path, key=key)


class _Walk:
    """One way through the events, always forward."""

    def __init__(self, source: SourceText) -> None:
        self._source = source
        self._events: Iterator[Event] = parse_events(source)

    def to(self, path: tuple[str | int, ...], *, key: bool) -> Span:
        node: Event | None = self._first()
        holder = Span(0, 0) if node is None else self._span(node)
        name: Span | None = None
        for step in path:
            name, node = self._step(node, step)
            if node is None:
                return holder
            holder = name or self._span(node)
        if key:
            return holder
        return holder if node is None else self._span(node)

    def _first(self) -> Event | None:
        return next((each for each in self._events if isinstance(each, ScalarEvent | CollectionStartEvent)), None)

    def _step(self, node: Event | None, step: str | int) -> tuple[Span | None, Event | None]:
        """Return the span of the key, and the beginning of the value, that `step` leads to; None where there
        is none.
        """
        if isinstance(node, MappingStartEvent):
            for key in self._children():
                value = next(self._events)
                if isinstance(key, ScalarEvent) and key.value == step:
                    return self._span(key), value
                self._skip(value)
        elif isinstance(node, SequenceStartEvent):
            for index, item in enumerate(self._children()):
                if index == step:
                    return None, item
                self._skip(item)
        return None, None

    def _children(self) -> Iterator[Event]:
        """Yield the beginnings of what follows, up to the end of the mapping or list; whoever takes one walks
        over it.
        """
        while not isinstance(event := next(self._events), CollectionEndEvent):
            yield event

    def _skip(self, event: Event) -> None:
        depth = int(isinstance(event, CollectionStartEvent))
        while depth:
            event = next(self._events)
            depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)

    def _span(self, event: Event) -> Span:
        return span_of(self._source, event)
