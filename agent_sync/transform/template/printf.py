"""Go's Sprintf: what the format says, verb by verb, and the notes that Go prints where format and arguments disagree.

Python's own formatting is never given a format from a template: `"%1000000000d"` would ask it for a gigabyte. Go stops
at a width of a million, and so does this.
"""

from __future__ import annotations

from agent_sync.transform.template.budget import Meter
from agent_sync.transform.template.flags import Flags
from agent_sync.transform.template.printing import Printer
from agent_sync.transform.template.quoting import REPLACEMENT
from agent_sync.transform.template.values import Kind, Value, kind_of

_LARGEST_NUMBER = 1_000_000
_SHORTEST_CHOICE = len("[n]")


def formatted(form: str, arguments: list[Value], meter: Meter) -> str:
    """`form` with its verbs replaced by `arguments`."""
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
        self._is_good = True  # the verb at hand has chosen no argument that is not there
        self._is_reordered = False  # some verb has chosen its argument, as %[2]d does
        self._last_bracket = form.rfind("]")  # so that a million `%[` do not each search to the end

    def text(self) -> str:
        """Everything, the complaint about arguments left over included."""
        while (percent := self._form.find("%", self._at)) >= 0:
            self._printer.write(self._form[self._at : percent])
            self._at = percent + 1
            self._meter.step()
            self._directive()
        self._printer.write(self._form[self._at :])
        if not self._is_reordered and self._next < len(self._arguments):
            self._complain_of_extra()
        return self._printer.text()

    def _directive(self) -> None:
        """One verb with all that stands before it: flags, argument number, width, precision, argument number."""
        self._is_good = True
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
        """Read the width; returns whether an argument number still waits for its use."""
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
        """Read the precision after its dot; returns the same as `_width`."""
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
        """Read an argument number such as `[2]`; returns whether there was one that could be read."""
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
        """The number that stands here, if any. Beyond a million Go gives up, and the rest of the format is lost."""
        number = None
        while "0" <= (digit := self._peek()) <= "9":
            if number is not None and number > _LARGEST_NUMBER:
                self._at = len(self._form)
                return None
            number = (number or 0) * 10 + int(digit)
            self._at += 1
        return number

    def _number_from_argument(self) -> int | None:
        """The next argument as a width or precision; None if there is none, or it is no integer, or too large."""
        if self._next >= len(self._arguments):
            return None
        value = self._arguments[self._next]
        self._next += 1
        if kind_of(value) not in (Kind.INT, Kind.BYTE) or not isinstance(value, int):
            return None
        return int(value) if abs(value) <= _LARGEST_NUMBER else None

    def _complain_of_extra(self) -> None:
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
