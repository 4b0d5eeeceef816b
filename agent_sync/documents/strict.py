"""YAML text -> plain data, strictly: what two programs, or a program and a person, might read differently is refused.

Only mappings with text keys, lists and single values; no tags (they run code in some readers), anchors and aliases (a
few lines grow to gigabytes), merge keys, duplicate keys (two readers take two values), directives or second documents.
The text is read as a stream of the parser's events, the lowest door of the library: no object is built, no tag is
looked up, and nothing recurses, so depth costs an error and not the process.
"""

from __future__ import annotations

import re
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

from agent_sync.documents.reader import SourceText, Span, check_characters, excerpt
from agent_sync.documents.scalars import MAX_DEPTH, SURROGATE, AmbiguousScalar, Value, parse_scalar
from agent_sync.errors import AgentSyncError, LimitExceeded, LockError

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
        """Return the span of the key and the beginning of the value that `step` leads to; None if there are none."""
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
        """Yield the beginning of each child of the open mapping or list; taking a child walks over it."""
        while not isinstance(event := next(self._events), CollectionEndEvent):
            yield event

    def _skip(self, event: Event) -> None:
        depth = int(isinstance(event, CollectionStartEvent))
        while depth:
            event = next(self._events)
            depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)

    def _span(self, event: Event) -> Span:
        return span_of(self._source, event)


# -- strict reading ----------------------------------------------------------------------------------------------------

MAX_VALUES = 2_000_000
"""Keys and values in one document: a lock of 500,000 files. A megabyte of `[],` would otherwise be 20 MB of lists."""

_DIGEST_LENGTH = 20
"""Characters from which on a number is more likely a digest that lacks its quotes."""


def parse(source: SourceText, *, parser: type[Any] = FASTEST, max_values: int = MAX_VALUES) -> dict[str, Value]:
    """Return the mapping that the text spells.

    Raises:
        source.error: it is not YAML, or more than is taken (see above); with the place.
        LimitExceeded: it has more than `max_values` keys and values.
    """
    check_characters(source)
    building = _Builder(source)
    for count, event in enumerate(parse_events(source, parser=parser)):
        if count > max_values:
            raise LimitExceeded(
                subject=source.file,
                check=f"more than {max_values} keys and values",
                remedy="check that this is the right file",
            )
        building.take(event)
    return building.finished()


class _Open:
    """A mapping or list that is being filled; `key` is the one whose value comes next."""

    __slots__ = ("key", "node")

    def __init__(self, node: dict[str, Value] | list[Value]) -> None:
        self.node = node
        self.key: str | None = None


class _Builder:
    """The data so far, and the way from its top to where the parser is."""

    def __init__(self, source: SourceText) -> None:
        self._source = source
        self._root: dict[str, Value] | None = None
        self._open: list[_Open] = []

    def take(self, event: Event) -> None:
        if isinstance(event, ScalarEvent):
            self._add_scalar(event)
        elif isinstance(event, CollectionStartEvent):
            self._begin(event)
        elif isinstance(event, CollectionEndEvent):
            self._open.pop()
        elif isinstance(event, AliasEvent):
            raise self._refusal(
                event,
                check="YAML aliases (`*name`) are not supported",
                remedy='write the value out, or quote a glob: "*name"',
            )
        else:
            self._refuse_directives(event)

    def finished(self) -> dict[str, Value]:
        if self._root is None:
            raise self._source.refusal(
                Span(0, 0), check="the file is empty", remedy="begin with a line such as `version: 1`"
            )
        return self._root

    def _add_scalar(self, event: ScalarEvent) -> None:
        if event.anchor is not None or event.tag is not None:
            raise self._marked(event)
        if not self._open:
            raise self._no_mapping(event)
        into = self._open[-1]
        if isinstance(into.node, list):
            into.node.append(self._value(event))
        elif into.key is None:
            into.key = self._key(event, into.node)
        else:
            into.node[into.key] = self._value(event)
            into.key = None

    def _begin(self, event: CollectionStartEvent) -> None:
        if event.anchor is not None or event.tag is not None:
            raise self._marked(event)
        if len(self._open) >= MAX_DEPTH:
            raise self._refusal(event, check=f"nested more than {MAX_DEPTH} levels deep", remedy="take levels out")
        node: dict[str, Value] | list[Value] = {} if isinstance(event, MappingStartEvent) else []
        self._attach(node, event)
        self._open.append(_Open(node))

    def _attach(self, node: dict[str, Value] | list[Value], event: Event) -> None:
        if not self._open:
            if self._root is not None or not isinstance(node, dict):
                raise self._no_mapping(event)
            self._root = node
            return
        into = self._open[-1]
        if isinstance(into.node, list):
            into.node.append(node)
        elif into.key is None:
            raise self._refusal(event, check="a key must be text, not a collection", remedy="use text as the key")
        else:
            into.node[into.key] = node
            into.key = None

    def _value(self, event: ScalarEvent) -> Value:
        if not event.style:
            return self._meaning(event)
        text: str = event.value
        if event.style == '"' and re.search(SURROGATE, text):  # the parser in Python lets them through
            raise self._refusal(event, check="half of a surrogate pair is not text", remedy="write the character")
        return text

    def _meaning(self, event: ScalarEvent) -> Value:
        try:
            return parse_scalar(event.value)
        except AmbiguousScalar:
            word = f"`{excerpt(event.value)}` without quotes"
            check = f"{word} is one number to some programs, and another or text to others"
            if len(event.value) >= _DIGEST_LENGTH:
                check = f"{word} is no digest but a number, too large to be kept"
            raise self._refusal(event, check=check, remedy=_suggest_quotes(event)) from None

    def _key(self, event: ScalarEvent, mapping: dict[str, Value]) -> str:
        key = self._value(event)
        if not isinstance(key, str):
            raise self._refusal(event, check="a key must be text", remedy=_suggest_quotes(event))
        if key == "<<" and not event.style:
            raise self._refusal(event, check="merge keys (`<<`) are not supported", remedy="write the keys out")
        if key in mapping:
            raise self._duplicate(event, key)
        return key

    def _duplicate(self, event: ScalarEvent, key: str) -> AgentSyncError:
        first = locate(self._source, (*self._path(), key), key=True)
        check = f"the key `{excerpt(key)}` is already on line {first.line + 1}"
        return self._refusal(event, check=check, remedy="keep one of the two")

    def _path(self) -> tuple[str | int, ...]:
        """Return the path of the innermost open mapping; what was attached last in each is what is open."""
        outer = [each.node for each in self._open[:-1]]
        return tuple(len(node) - 1 if isinstance(node, list) else next(reversed(node)) for node in outer)

    def _refuse_directives(self, event: Event) -> None:
        if getattr(event, "version", None) or getattr(event, "tags", None):
            raise self._refusal(event, check="YAML directives (`%...`) are not supported", remedy="remove the line")

    def _marked(self, event: Any) -> AgentSyncError:  # noqa: ANN401  # a scalar or a collection
        if event.anchor is not None:
            check = f"YAML anchors (`&{excerpt(event.anchor)}`) are not supported"
            return self._refusal(event, check=check, remedy="write the value out where it is used")
        check = f"YAML tags ({excerpt(event.tag)}) are not supported"
        return self._refusal(event, check=check, remedy="remove it; text that begins with `!` needs quotes")

    def _no_mapping(self, event: Event) -> AgentSyncError:
        if self._root is not None:
            return self._refusal(event, check="a second document begins here", remedy="remove it: a file holds one")
        is_lock = issubclass(self._source.error, LockError)
        remedy = "restore the file from version control" if is_lock else "write lines such as `version: 1`"
        return self._refusal(event, check="the file is not a mapping", remedy=remedy)

    def _refusal(self, event: Event, *, check: str, remedy: str) -> AgentSyncError:
        return self._source.refusal(span_of(self._source, event), check=check, remedy=remedy)


def _suggest_quotes(event: ScalarEvent) -> str:
    word = excerpt(event.value)
    return f'put it in quotes: "{word}"' if word == event.value else "put it in quotes"
