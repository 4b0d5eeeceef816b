"""Go's fmt, for the values that templates have: Sprint, Sprintln, and one value under one verb."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from agent_sync.transform.template.budget import Meter
from agent_sync.transform.template.escaping import in_pieces
from agent_sync.transform.template.faults import Refused
from agent_sync.transform.template.flags import Flags, padded, padding, shortened
from agent_sync.transform.template.floats import float_text
from agent_sync.transform.template.integers import integer_text
from agent_sync.transform.template.quoting import fits_raw_string, quoted
from agent_sync.transform.template.strings import cut, joined, to_bytes
from agent_sync.transform.template.values import Byte, Kind, Value, kind_of, sorted_items


def printed(value: Value, meter: Meter) -> str:
    """`value` as `{{ value }}` shows it; nothing is `<no value>` there."""
    if value is not None and not isinstance(value, str):
        return printed_all((value,), meter)
    text = "<no value>" if value is None else value
    meter.made(text)
    return text


def printed_all(values: Iterable[Value], meter: Meter) -> str:
    """All values in one line; a space parts two of which neither is a string."""
    printer = Printer(meter)
    after_string = True
    for value in values:
        is_string = isinstance(value, str)
        if not is_string and not after_string:
            printer.write(" ")
        printer.argument(value, "v")
        after_string = is_string
    return printer.text()


def printed_line(values: Iterable[Value], meter: Meter) -> str:
    """All values with a space between each two, and a newline."""
    printer = Printer(meter)
    for index, value in enumerate(values):
        if index:
            printer.write(" ")
        printer.argument(value, "v")
    printer.write("\n")
    return printer.text()


class Printer:
    """Text as it grows; `flags` are those of the verb at hand and hold for every element of a list."""

    __slots__ = ("_meter", "_parts", "flags")

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._parts: list[str] = []
        self.flags = Flags()

    def write(self, text: str) -> None:
        """Add `text` as it is."""
        self._meter.made(text)
        self._parts.append(text)

    def text(self) -> str:
        """What was written so far."""
        return joined(self._parts)

    def argument(self, value: Value, verb: str) -> None:
        """Add one argument of printf under its verb.

        Raises:
            Refused: it is `%p` of a list or map, which in Go prints an address in memory.
        """
        kind = kind_of(value)
        if verb == "T" or (value is None and verb == "v"):
            self.write(padded(shortened(kind.value, self.flags) if value is not None else kind.value, self.flags))
        elif verb == "p" and kind in _COMPOUND:
            raise Refused(f"%p of a {kind.value} would print an address in memory, another one each time")
        elif verb == "w" and kind in _COMPOUND:
            self._bad_verb(value, kind, verb)
        else:
            self._value(value, kind, verb)

    def _value(self, value: Value, kind: Kind, verb: str) -> None:
        self._meter.step()
        if isinstance(value, str):
            text = self._string(value, verb)
        elif value is None:
            text = None
        elif isinstance(value, bool):
            text = padded("true" if value else "false", self.flags) if verb in "tv" else None
        elif isinstance(value, int):
            text = integer_text(value, verb, self.flags, is_byte=isinstance(value, Byte))
        elif isinstance(value, float):
            text = float_text(value, verb, self.flags)
        elif isinstance(value, Mapping):
            return self._map(value, verb)
        else:
            return self._list(value, verb)
        return self._bad_verb(value, kind, verb) if text is None else self.write(text)

    def _nested(self, value: Value, verb: str) -> None:
        """An element of a list or map."""
        kind = kind_of(value)
        if kind is Kind.NIL:
            self.write("interface {}(nil)" if self.flags.go_syntax else "<nil>")
        else:
            self._value(value, kind, verb)

    def _list(self, items: Sequence[Value], verb: str) -> None:
        opening, comma, closing = _GO_LIST if self.flags.go_syntax else ("[", " ", "]")
        self._meter.enter()
        self.write(opening)
        for index, item in enumerate(items):
            if index:
                self.write(comma)
            self._nested(item, verb)
        self.write(closing)
        self._meter.leave()

    def _map(self, mapping: Mapping[str, Value], verb: str) -> None:
        opening, comma, closing = _GO_MAP if self.flags.go_syntax else ("map[", " ", "]")
        self._meter.enter()
        self._meter.step(len(mapping))
        self.write(opening)
        for index, (key, item) in enumerate(sorted_items(mapping)):
            if index:
                self.write(comma)
            self._nested(key, verb)
            self.write(":")
            self._nested(item, verb)
        self.write(closing)
        self._meter.leave()

    def _bad_verb(self, value: Value, kind: Kind, verb: str) -> None:
        """Go's `%!d(string=x)`: no error, but text that tells of one."""
        self.write(f"%!{verb}({kind.value}")
        if value is not None:
            self.write("=")
            self._value(value, kind, "v")
        self.write(")")

    def _string(self, text: str, verb: str) -> str | None:
        flags = self.flags
        match verb:
            case "q":
                return padded(self._quoted(shortened(text, flags)), flags)
            case "v" if flags.go_syntax:
                return padded(self._quoted(shortened(text, flags)), flags)
            case "v" | "s":
                return padded(shortened(text, flags), flags)
            case "x" | "X":
                return self._hexadecimal(text, "%02X" if verb == "X" else "%02x")
            case _:
                return None

    def _quoted(self, text: str) -> str:
        if self.flags.sharp and fits_raw_string(text):
            return f"`{text}`"
        return quoted(text, self._meter, ascii_only=self.flags.plus)

    def _hexadecimal(self, text: str, form: str) -> str:
        flags = self.flags
        if flags.precision is not None:
            text = cut(text, 0, flags.precision)
        if not text:
            return padding(0, flags)
        prefix = f"0{form[-1]}" if flags.sharp else ""
        between = f" {prefix}" if flags.space else ""
        pairs = in_pieces(text, lambda piece: "".join([between + form % byte for byte in to_bytes(piece)]), self._meter)
        return padded(prefix + pairs.removeprefix(between), flags)


_COMPOUND = (Kind.LIST, Kind.MAP)
_GO_LIST = (f"{Kind.LIST.value}{{", ", ", "}")
_GO_MAP = (f"{Kind.MAP.value}{{", ", ", "}")
