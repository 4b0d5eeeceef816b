"""Where a key or value stands: the text is read once more, up to there, and only when someone asks."""

from __future__ import annotations

from collections.abc import Iterator

from agent_sync.documents.parsing import (
    CollectionEndEvent,
    CollectionStartEvent,
    Event,
    MappingStartEvent,
    ScalarEvent,
    SequenceStartEvent,
    events_of,
    span_of,
)
from agent_sync.documents.text import SourceText, Span


def locate(source: SourceText, path: tuple[str | int, ...], *, key: bool = False) -> Span:
    """The span of the value at `path`, or of its key.

    A mapping or list in block style begins with its first key or dash. For what is not there: what should hold it, at
    its key if it has one.
    """
    return _Walk(source).to(path, key=key)


class _Walk:
    """One way through the events, always forward."""

    def __init__(self, source: SourceText) -> None:
        self._source = source
        self._events: Iterator[Event] = events_of(source)

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
        """The span of the key, and the beginning of the value, that `step` leads to; None where there is none."""
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
        """The beginnings of what follows, up to the end of the mapping or list; whoever takes one walks over it."""
        while not isinstance(event := next(self._events), CollectionEndEvent):
            yield event

    def _skip(self, event: Event) -> None:
        depth = int(isinstance(event, CollectionStartEvent))
        while depth:
            event = next(self._events)
            depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)

    def _span(self, event: Event) -> Span:
        return span_of(self._source, event)
