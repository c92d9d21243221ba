"""Go's fmt: Sprintf's verbs and flags, Sprint's and Sprintln's spaces (https://pkg.go.dev/fmt)."""

from __future__ import annotations

from hyperbox.cli.templates_lexer import unicode_name
from hyperbox.cli.templates_values import (
    MISSING,
    Duration,
    GoList,
    GoMap,
    NilPointer,
    Number,
    Pointer,
    Record,
    Spoken,
    Struct,
    address,
    float_text,
    text_of,
    type_name,
)
from hyperbox.go.text import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH_LIMIT = 1_000_000


class Verb:
    """One directive of a format: its flags, width, precision and letter.

    `go` is %#v, Go's syntax; `named` %+v, with the names of fields; `erring` inside of %!…, where nothing prints itself.
    """

    __slots__ = ("erring", "flags", "go", "letter", "named", "precision", "width")

    def __init__(self, letter: str = "") -> None:
        self.flags = ""
        self.go = self.named = self.erring = False
        self.width: int | None = None
        self.precision: int | None = None
        self.letter = letter

    def has(self, flag: str) -> bool:
        return flag in self.flags

    def pad(self, text: str) -> str:
        """Fill `text` up to the width, zeros only where they were asked for."""
        if self.width is None or len(text) >= self.width:
            return text
        if self.has("-"):
            return text.ljust(self.width)
        return text.rjust(self.width, "0" if self.has("0") else " ")

    def pad_number(self, sign: str, digits: str) -> str:
        """Fill a number up to the width, zeros between sign and digits."""
        if self.has("0") and not self.has("-") and self.width is not None:
            digits = digits.rjust(self.width - len(sign), "0")
        held, self.flags = self.flags, self.flags.replace("0", "")
        text = self.pad(sign + digits)
        self.flags = held
        return text


def sprint(values: Sequence[object]) -> str:
    """fmt.Sprint: a space between two operands that are both no strings."""
    output: list[str] = []
    previous_string = True
    for index, value in enumerate(values):
        is_string = isinstance(value, str)
        if index and not is_string and not previous_string:
            output.append(" ")
        output.append(_plainly(_nil(value)))
        previous_string = is_string
    return "".join(output)


def sprintln(values: Sequence[object]) -> str:
    """fmt.Sprintln: spaces between all, a newline after."""
    return " ".join(_plainly(_nil(value)) for value in values) + "\n"


def _plainly(value: object) -> str:
    """Return an operand as %v prints it."""
    return render(Verb("v"), value)


def _nil(value: object) -> object:
    return None if value is MISSING else value


class Printer:
    """One call of Sprintf: the format, its operands and which of them is next."""

    __slots__ = ("bad_index", "index", "operands", "position", "reordered", "text")

    def __init__(self, text: str, operands: Sequence[object]) -> None:
        self.text = text
        self.operands = [_nil(operand) for operand in operands]
        self.position = 0
        self.index = 0
        self.reordered = False
        self.bad_index = False

    def run(self) -> str:
        output: list[str] = []
        while True:
            found = self.text.find("%", self.position)
            if found < 0:
                output.append(self.text[self.position :])
                break
            output.append(self.text[self.position : found])
            self.position = found + 1
            output.append(self._directive())
        if not self.reordered and self.index < len(self.operands):
            extra = ", ".join(
                "<nil>" if one is None else f"{type_name(one)}={_plainly(one)}" for one in self.operands[self.index :]
            )
            output.append(f"%!(EXTRA {extra})")
        return "".join(output)

    def _here(self) -> str:
        return self.text[self.position : self.position + 1]

    def _directive(self) -> str:
        verb = Verb()
        self.bad_index = False
        problems = ""
        after_index = False
        while self._here() and self._here() in "+-# 0":
            verb.flags += self._here()
            self.position += 1
        after_index = self._argument_index()
        if self._here() == "*":
            self.position += 1
            verb.width, problems = self._star("WIDTH")
            if verb.width is not None and verb.width < 0:
                verb.width, verb.flags = -verb.width, verb.flags + "-"
            after_index = False
        else:
            verb.width = self._digits()
            if after_index and verb.width is not None:
                self.bad_index = True
        if self._here() == ".":
            self.position += 1
            if after_index:
                self.bad_index = True
            after_index = self._argument_index()
            if self._here() == "*":
                self.position += 1
                verb.precision, more = self._star("PREC")
                problems += more
                if verb.precision is not None and verb.precision < 0:
                    verb.precision = None
                    problems += "%!(BADPREC)" if not more else ""
                after_index = False
            else:
                verb.precision = self._digits() or 0
        if not after_index:
            after_index = self._argument_index()
        return problems + self._verb(verb)

    def _verb(self, verb: Verb) -> str:
        verb.letter = self._here()
        if not verb.letter:
            return "%!(NOVERB)"
        self.position += 1
        if verb.letter == "%":
            return "%"
        if self.bad_index:
            return f"%!{verb.letter}(BADINDEX)"
        if self.index >= len(self.operands):
            return f"%!{verb.letter}(MISSING)"
        value = self.operands[self.index]
        self.index += 1
        if verb.letter == "v":
            verb.go, verb.named = verb.has("#"), verb.has("+") and not verb.has("#")
            verb.flags = verb.flags.replace("#", "").replace("+", "")
        return render(verb, value)

    def _digits(self) -> int | None:
        start = self.position
        while self._here().isdigit() and self._here().isascii():
            self.position += 1
        if start == self.position:
            return None
        digits = self.text[start : self.position]
        return int(digits) if len(digits) < 8 and int(digits) <= WIDTH_LIMIT else None

    def _star(self, name: str) -> tuple[int | None, str]:
        value = self.operands[self.index] if self.index < len(self.operands) else None
        self.index += self.index < len(self.operands)
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) > WIDTH_LIMIT:
            return None, f"%!(BAD{name})"
        return value, ""

    def _argument_index(self) -> bool:
        """Read `[n]`; returns whether there was one."""
        if self._here() != "[":
            return False
        self.reordered = True
        end = self.text.find("]", self.position)
        number = self.text[self.position + 1 : end] if end > 0 else ""
        if end < 0:
            self.bad_index = True
            self.position += 1
            return True
        self.position = end + 1
        if not (number.isdigit() and number.isascii()) or not 1 <= int(number[:9]) <= len(self.operands):
            self.bad_index = True
            return True
        self.index = int(number) - 1
        return True


def sprintf(text: str, operands: Sequence[object]) -> str:
    """fmt.Sprintf."""
    return Printer(text, operands).run()


def bad_verb(verb: Verb, value: object) -> str:
    """Return what fmt writes for a verb that does not fit: %!d(string=hi)."""
    if value is None:
        return f"%!{verb.letter}(<nil>)"
    plainly = Verb("v")
    plainly.flags, plainly.width, plainly.precision, plainly.erring = verb.flags, verb.width, verb.precision, True
    return f"%!{verb.letter}({type_name(value)}={render(plainly, value)})"


def render(verb: Verb, value: object, depth: int = 0) -> str:
    """Return one operand as a directive asks."""
    letter = verb.letter
    if letter == "T":
        return verb.pad(type_name(value)[: verb.precision])
    if value is None:
        if depth:
            return "interface {}(nil)" if verb.go else "<nil>"
        return verb.pad("<nil>") if letter == "v" else bad_verb(verb, None)
    if isinstance(value, (NilPointer, Pointer)):
        return render_pointer(verb, value)
    own = own_text(value)
    if own is not None and letter in "vsxXq" and not verb.go and not verb.erring:
        return render_string(verb, own, value)
    if isinstance(value, bool):
        return verb.pad(text_of(value)) if letter in "tv" else bad_verb(verb, value)
    if isinstance(value, int):
        return render_int(verb, value)
    if isinstance(value, float):
        return render_float(verb, value)
    if isinstance(value, str):
        return render_string(verb, value, value)
    if isinstance(value, complex):
        return text_of(value) if letter in "vgGfFeE" else bad_verb(verb, value)
    if letter == "p":
        return render_pointer(verb, value) if isinstance(value, (list, dict)) else bad_verb(verb, value)
    return render_compound(verb, value, depth)


def own_text(value: object) -> str | None:
    """Return how a value prints itself, None where it doesn't."""
    if isinstance(value, (Duration, Spoken)):
        return value.text()
    return value.text if isinstance(value, Struct) else None


def render_pointer(verb: Verb, value: object) -> str:
    """Pointers: v p b o d x X, where there is no more to show than the place."""
    place = 0 if isinstance(value, NilPointer) else address(value)
    letter = verb.letter
    if letter == "v" and verb.go:
        return f"({type_name(value)})({f'{place:#x}' if place else 'nil'})"
    if letter == "v":
        return verb.pad(f"{place:#x}" if place else "<nil>")
    if letter == "p":
        return verb.pad(f"{place:#x}")
    return render_int(verb, place) if letter in "bodxX" else bad_verb(verb, value)


def render_compound(verb: Verb, value: object, depth: int) -> str:
    """Lists, maps and records: the verb is applied to each thing in them."""
    if isinstance(value, dict):
        if verb.go and getattr(value, "is_nil", False):
            return f"{type_name(value)}(nil)"
        pairs = [f"{render(verb, key, depth + 1)}:{render(verb, value[key], depth + 1)}" for key in sorted(value)]
        return f"{type_name(value)}{{{', '.join(pairs)}}}" if verb.go else "map[" + " ".join(pairs) + "]"
    if isinstance(value, (list, tuple)):
        if verb.letter in "sqxX" and isinstance(value, GoList) and value.type == "[]uint8":
            return render_string(verb, bytes(int(str(one)) for one in value).decode("utf-8", "replace"), value)
        if verb.go and getattr(value, "is_nil", False):
            return f"{type_name(value)}(nil)"
        items = [render(verb, item, depth + 1) for item in value]
        return f"{type_name(value)}{{{', '.join(items)}}}" if verb.go else "[" + " ".join(items) + "]"
    if isinstance(value, Struct):
        return render_struct(verb, value, depth)
    if isinstance(value, Record):
        return text_of(value)
    return bad_verb(verb, value)


def render_struct(verb: Verb, value: Struct, depth: int) -> str:
    """Records, with & before one that is held by pointer; inside of others those are only where they are."""
    if value.pointer and depth:
        return render_pointer(verb, value)
    if value.text is not None and not value.names():  # its fields are its own: what of them is seen is its text
        return value.text
    head = ("&" if value.pointer else "") + (value.type if verb.go else "")
    names = verb.go or verb.named
    fields = [(f"{name}:" if names else "") + render(verb, field, depth + 1) for name, field in value.fields().items()]
    return f"{head}{{{(', ' if verb.go else ' ').join(fields)}}}"


def render_int(verb: Verb, value: int) -> str:
    """Integers: d v b o O x X c q U, and the verbs that don't fit."""
    letter = verb.letter
    if letter == "c":
        return verb.pad(chr(value) if 0 <= value <= 0x10FFFF else "\ufffd")
    if letter == "q":
        return verb.pad("'" + quote(chr(value) if 0 <= value <= 0x10FFFF else "\ufffd")[1:-1].replace('\\"', '"') + "'")
    if letter == "U":
        code = f"U+{value:04X}"
        return verb.pad(unicode_name(chr(value)) if verb.has("#") and 0 <= value <= 0x10FFFF else code)
    forms = {"d": "d", "v": "d", "b": "b", "o": "o", "O": "o", "x": "x", "X": "X"}
    if letter not in forms:
        return bad_verb(verb, value)
    if verb.go and isinstance(value, Number) and value.type.startswith("u"):
        return f"{value:#x}"
    digits = format(abs(value), forms[letter])
    if verb.precision is not None:
        digits = digits.rjust(verb.precision, "0") if value or verb.precision else ""
    prefix = "0o" if letter == "O" else ""
    if verb.has("#") and letter != "v":
        prefix = {"b": "0b", "o": "0", "x": "0x", "X": "0X", "O": "0o"}.get(letter, "")
    sign = "-" if value < 0 else plus_or_space(verb)
    if verb.precision is not None:
        return _without_zero(verb).pad(sign + prefix + digits)
    return verb.pad_number(sign + prefix, digits)


def plus_or_space(verb: Verb) -> str:
    """Return the sign of a number that is not negative."""
    return "+" if verb.has("+") else " " if verb.has(" ") else ""


def _without_zero(verb: Verb) -> Verb:
    other = Verb(verb.letter)
    other.flags, other.width = verb.flags.replace("0", ""), verb.width
    return other


def render_float(verb: Verb, value: float) -> str:
    """Floats: v g G e E f F b x, with width and precision."""
    letter = verb.letter
    if letter not in "vgGeEfF":
        return bad_verb(verb, value)
    if value != value or value in (float("inf"), float("-inf")):
        return _without_zero(verb).pad(float_text(value))
    if letter in "vgG":
        size = abs(value)
        digits = float_text(size) if verb.precision is None else format(size, f".{verb.precision or 1}g")
    else:
        digits = format(abs(value), f".{6 if verb.precision is None else verb.precision}{letter}")
    if letter in "GE":
        digits = digits.upper()
    negative = value < 0 or (value == 0 and str(value)[0] == "-")
    sign = "-" if negative else plus_or_space(verb)
    return verb.pad_number(sign, digits)


def render_string(verb: Verb, value: str, whole: object) -> str:
    """Strings: s v q x X, cut to the precision. `whole` is what has this text."""
    letter = verb.letter
    if verb.go:
        return verb.pad(quote(value))
    if letter in "sv":
        return verb.pad(value[: verb.precision])
    if letter == "q":
        cut = value[: verb.precision]
        if verb.has("#") and "`" not in cut and cut.isprintable():
            return verb.pad(f"`{cut}`")
        return verb.pad(quote(cut))
    if letter in "xX":
        data = value.encode("utf-8", "surrogateescape")[: verb.precision]
        pairs = [f"{byte:02x}" for byte in data]
        prefix = "0x" if verb.has("#") and pairs else ""
        joined = prefix + (f" {prefix}" if verb.has(" ") else "").join(pairs)
        return verb.pad(joined.upper() if letter == "X" else joined)
    return bad_verb(verb, whole)


__all__ = ["GoMap", "render", "sprint", "sprintf", "sprintln"]
