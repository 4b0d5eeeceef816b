"""Go's fmt for the values that templates have: Sprint, Sprintln and Sprintf.

Python's own formatting is never given a format from a template: `"%1000000000d"` would ask it for a gigabyte. Go stops
at a width of a million, and so does this.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from agent_sync.transform.template.budget import Meter, in_pieces
from agent_sync.transform.template.errors import TemplateError
from agent_sync.transform.template.format import (
    REPLACEMENT,
    Flags,
    fits_raw_string,
    float_text,
    integer_text,
    padded,
    padding,
    quote_string,
    shortened,
)
from agent_sync.transform.template.values import Byte, Kind, Value, cut, joined, kind_of, sorted_items, to_bytes


def print_action(value: Value, meter: Meter) -> str:
    """Return `value` as `{{ value }}` prints it; nil is `<no value>` there."""
    if value is not None and not isinstance(value, str):
        return sprint((value,), meter)
    text = "<no value>" if value is None else value
    meter.made(text)
    return text


def sprint(values: Iterable[Value], meter: Meter) -> str:
    """Return all values in one line, with a space between two of which neither is a string."""
    printer = Printer(meter)
    after_string = True
    for value in values:
        is_string = isinstance(value, str)
        if not is_string and not after_string:
            printer.write(" ")
        printer.argument(value, "v")
        after_string = is_string
    return printer.text()


def sprintln(values: Iterable[Value], meter: Meter) -> str:
    """Return all values with a space between each two, and a newline."""
    printer = Printer(meter)
    for index, value in enumerate(values):
        if index:
            printer.write(" ")
        printer.argument(value, "v")
    printer.write("\n")
    return printer.text()


class Printer:
    """Text as it grows; `flags` are those of the current verb and hold for every element of a list."""

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
        """Return what was written so far."""
        return joined(self._parts)

    def argument(self, value: Value, verb: str) -> None:
        """Add one argument of printf under its verb.

        Raises:
            TemplateError: it is `%p` of a list or map, which in Go prints an address in memory.
        """
        kind = kind_of(value)
        if verb == "T" or (value is None and verb == "v"):
            self.write(padded(shortened(kind.value, self.flags) if value is not None else kind.value, self.flags))
        # Everything that is locked must be the same on every machine, so this is an error and not an address.
        elif verb == "p" and kind in _COMPOUND:
            raise TemplateError(f"%p of a {kind.value} would print an address in memory, another one each time")
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
        """Add an element of a list or map."""
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
        # Sorting the keys is work that grows with the map.
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
        """Add Go's `%!d(string=x)`: no error, but text that tells of one."""
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
        return quote_string(text, self._meter, ascii_only=self.flags.plus)

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


# -- Sprintf: what the format says, verb by verb, and the notes that Go prints where format and arguments disagree.

_LARGEST_NUMBER = 1_000_000
_SHORTEST_CHOICE = len("[n]")


def sprintf(form: str, arguments: list[Value], meter: Meter) -> str:
    """Return `form` with its verbs replaced by `arguments`."""
    return _Run(form, arguments, meter).text()


class _Run:
    """One reading of a format from left to right: `_at` is the next character, `_next` the next argument."""

    def __init__(self, form: str, arguments: list[Value], meter: Meter) -> None:
        self._form = form
        self._arguments = arguments
        self._meter = meter
        self._printer = Printer(meter)
        self._at = 0
        self._next = 0
        self._is_good = True  # the current verb has chosen no argument that is missing
        self._is_reordered = False  # some verb has chosen its argument, as %[2]d does
        self._last_bracket = form.rfind("]")  # so that a million `%[` do not each search to the end

    def text(self) -> str:
        """Return everything, with Go's note about arguments left over."""
        while (percent := self._form.find("%", self._at)) >= 0:
            self._printer.write(self._form[self._at : percent])
            self._at = percent + 1
            self._meter.step()
            self._directive()
        self._printer.write(self._form[self._at :])
        if not self._is_reordered and self._next < len(self._arguments):
            self._report_extra_arguments()
        return self._printer.text()

    def _directive(self) -> None:
        """Read one verb and what is before it: flags, argument number, width, precision, argument number."""
        self._is_good = True
        # The order of what follows is that of Go's doPrintf, for the sake of its error notes.
        self._printer.flags = flags = self._flags()
        chosen = self._width(flags, chosen=self._choice())
        if self._peek() == "." and self._at + 1 < len(self._form):
            self._at += 1
            chosen = self._precision(flags, chosen=chosen)
        if not chosen:
            self._choice()
        if self._at >= len(self._form):
            self._printer.write("%!(NOVERB)")
            return
        verb = self._form[self._at]
        self._at += 1
        self._verb(REPLACEMENT if "\ud800" <= verb <= "\udfff" else verb, flags)

    def _verb(self, verb: str, flags: Flags) -> None:
        if verb == "%":
            self._printer.write("%")
        elif not self._is_good:
            self._printer.write(f"%!{verb}(BADINDEX)")
        elif self._next >= len(self._arguments):
            self._printer.write(f"%!{verb}(MISSING)")
        else:
            if verb in "vw":
                flags.go_syntax, flags.sharp, flags.plus = flags.sharp, False, False
            self._printer.argument(self._arguments[self._next], verb)
            self._next += 1

    def _flags(self) -> Flags:
        flags = Flags()
        while (name := _FLAGS.get(self._peek())) is not None:
            setattr(flags, name, True)
            self._at += 1
        return flags

    def _width(self, flags: Flags, *, chosen: bool) -> bool:
        """Read the width; return whether an argument number still waits for its use."""
        if self._peek() == "*":
            self._at += 1
            flags.width = self._number_from_argument()
            if flags.width is None:
                self._printer.write("%!(BADWIDTH)")
            elif flags.width < 0:
                flags.width, flags.minus, flags.zero = -flags.width, True, False
            return False
        flags.width = self._number()
        if chosen and flags.width is not None:  # "%[3]2d"
            self._is_good = False
        return chosen

    def _precision(self, flags: Flags, *, chosen: bool) -> bool:
        """Read the precision after its dot; return the same as `_width`."""
        if chosen:  # "%[3].2d"
            self._is_good = False
        chosen = self._choice()
        if self._peek() == "*":
            self._at += 1
            flags.precision = self._number_from_argument()
            if flags.precision is None or flags.precision < 0:
                flags.precision = None
                self._printer.write("%!(BADPREC)")
            return False
        flags.precision = self._number() or 0
        return chosen

    def _choice(self) -> bool:
        """Read an argument number such as `[2]`; return whether there was one that could be read."""
        if self._peek() != "[":
            return False
        self._is_reordered = True
        start = self._at + 1
        has_room = len(self._form) - self._at >= _SHORTEST_CHOICE
        closing = self._form.find("]", start) if has_room and self._last_bracket >= start else -1
        if closing < 0:
            self._at = start
            self._is_good = False
            return False
        self._at = start
        number = self._number()
        could_be_read = number is not None and self._at == closing
        self._at = closing + 1
        if could_be_read and number is not None and 1 <= number <= len(self._arguments):
            self._next = number - 1
        else:
            self._is_good = False
        return could_be_read

    def _number(self) -> int | None:
        """Read a number, if there is one. Beyond a million Go gives up, and the rest of the format is lost."""
        number = None
        while "0" <= (digit := self._peek()) <= "9":
            if number is not None and number > _LARGEST_NUMBER:
                self._at = len(self._form)
                return None
            number = (number or 0) * 10 + int(digit)
            self._at += 1
        return number

    def _number_from_argument(self) -> int | None:
        """Return the next argument as a width or precision; None if there is none, or it is no integer or too large."""
        if self._next >= len(self._arguments):
            return None
        value = self._arguments[self._next]
        self._next += 1
        if kind_of(value) not in (Kind.INT, Kind.BYTE) or not isinstance(value, int):
            return None
        return int(value) if abs(value) <= _LARGEST_NUMBER else None

    def _report_extra_arguments(self) -> None:
        printer = self._printer
        printer.flags = Flags()
        for index, value in enumerate(self._arguments[self._next :]):
            printer.write(", " if index else "%!(EXTRA ")
            if value is not None:
                printer.write(f"{kind_of(value).value}=")
            printer.argument(value, "v")
        printer.write(")")

    def _peek(self) -> str:
        return self._form[self._at : self._at + 1]


_FLAGS = {"#": "sharp", "0": "zero", "+": "plus", "-": "minus", " ": "space"}
