"""From a template's text to its tokens, by the lexical rules of Go's text/template (https://pkg.go.dev/text/template).

A token is (kind, text, position, line). Faults are a last token of kind ERROR: the parser words them with its place.
A hot path: no `re`.
"""

from __future__ import annotations

from hyperbox.go.text import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    Token = tuple[str, str, int, int]

EOF = "EOF"
ERROR = "error"
TEXT = "text"
LEFT = "left"
RIGHT = "right"
SPACE = "space"
IDENTIFIER = "identifier"
FIELD = "field"
VARIABLE = "variable"
DOT = "dot"
NIL = "nil"
BOOL = "bool"
STRING = "string"
RAW_STRING = "rawstring"
CHARACTER = "character"
NUMBER = "number"
PIPE = "|"
ASSIGN = "="
DECLARE = ":="
OPEN = "("
CLOSE = ")"
CHAR = "char"
KEYWORDS = frozenset({"block", "break", "continue", "define", "else", "end", "if", "range", "template", "with"})

SPACES = " \t\r\n"
DIGITS = {"0": "0123456789_", "x": "0123456789abcdefABCDEF_", "o": "01234567_", "b": "01_"}


def unicode_name(character: str) -> str:
    """Return a character as Go's %#U writes it: U+0040 '@'."""
    name = f"U+{ord(character):04X}"
    return f"{name} '{character}'" if character.isprintable() else name


def tokenize(text: str) -> list[Token]:
    """Return all tokens of a template; the last one is EOF or ERROR."""
    lexer = Lexer(text)
    lexer.run()
    return lexer.tokens


def is_word(character: str) -> bool:
    """Return whether Go takes the character as part of an identifier."""
    return character == "_" or character.isalnum()


class Lexer:
    """The state of one pass over the text."""

    __slots__ = ("end", "line", "parens", "position", "text", "tokens")

    def __init__(self, text: str) -> None:
        self.text = text
        self.end = len(text)
        self.position = 0
        self.line = 1
        self.parens = 0
        self.tokens: list[Token] = []

    def emit(self, kind: str, start: int) -> None:
        value = self.text[start : self.position]
        self.tokens.append((kind, value, start, self.line))
        self.line += value.count("\n")

    def fail(self, message: str) -> bool:
        self.tokens.append((ERROR, message, self.position, self.line))
        return False

    def run(self) -> None:
        """Read the whole text: plain text and actions by turns."""
        while True:
            start = self.text.find("{{", self.position)
            if start < 0:
                self._text(self.end, trim=False)
                self.tokens.append((EOF, "", self.end, self.line))
                return
            trim = self.text[start + 2 : start + 3] == "-" and self.text[start + 3 : start + 4] in tuple(SPACES)
            self._text(start, trim=trim)
            self.position = start + 2 + (2 if trim else 0)
            if self.text.startswith("/*", self.position):
                going = self._comment()
            else:
                self.tokens.append((LEFT, "{{", start, self.line))
                if trim:
                    self.line += self.text.count("\n", start, self.position)
                self.parens = 0
                going = self._action()
            if not going:
                return

    def _text(self, end: int, *, trim: bool) -> None:
        value = self.text[self.position : end]
        kept = value.rstrip(SPACES) if trim else value
        if kept:
            self.tokens.append((TEXT, kept, self.position, self.line))
        self.line += value.count("\n")
        self.position = end

    def _comment(self) -> bool:
        start = self.position
        end = self.text.find("*/", start + 2)
        if end < 0:
            return self.fail("unclosed comment")
        self.position = end + 2
        if not self._right(emit=False):
            return self.fail("comment ends before closing delimiter")
        self.line += self.text.count("\n", start, self.position)
        return True

    def _right(self, *, emit: bool) -> bool:
        """Take `}}` or ` -}}` if it stands here; the second also takes the white space after it."""
        text, here = self.text, self.position
        trim = text[here : here + 1] in tuple(SPACES) and text.startswith("-}}", here + 1)
        if not trim and not text.startswith("}}", here):
            return False
        self.position += 4 if trim else 2
        if emit:
            self.tokens.append((RIGHT, "}}", here + (2 if trim else 0), self.line))
        if trim:
            while self.position < self.end and text[self.position] in SPACES:
                self.line += text[self.position] == "\n"
                self.position += 1
        return True

    def _action(self) -> bool:
        """Read tokens up to the closing braces; False after a fault."""
        while True:
            if self._right(emit=self.parens == 0):
                return True if self.parens == 0 else self.fail("unclosed left paren")
            if self.position >= self.end:
                return self.fail("unclosed action")
            if not self._token(self.text[self.position]):
                return False

    def _token(self, character: str) -> bool:
        start = self.position
        following = self.text[start + 1 : start + 2]
        if character in SPACES:
            return self._space()
        if character in "\"'`":
            return self._quoted(character)
        if character in "+-" or "0" <= character <= "9":
            return self._number()
        if character in ".$":
            if character == "." and (not following or (following.isdigit() and following.isascii())):
                return self._number()
            return self._field(character)
        if is_word(character):
            return self._identifier()
        self.position += 1
        if character == "=":
            self.emit(ASSIGN, start)
        elif character == ":":
            if following != "=":
                return self.fail("expected :=")
            self.position += 1
            self.emit(DECLARE, start)
        elif character == "|":
            self.emit(PIPE, start)
        elif character == "(":
            self.parens += 1
            self.emit(OPEN, start)
        elif character == ")":
            self.parens -= 1
            if self.parens < 0:
                return self.fail("unexpected right paren")
            self.emit(CLOSE, start)
        elif character.isascii() and character.isprintable():
            self.emit(CHAR, start)
        else:
            return self.fail(f"unrecognized character in action: {unicode_name(character)}")
        return True

    def _space(self) -> bool:
        start = self.position
        while self.position < self.end and self.text[self.position] in SPACES:
            if self.text.startswith("-}}", self.position + 1):
                break
            self.position += 1
        if self.position > start:
            self.emit(SPACE, start)
        return True

    def _quoted(self, mark: str) -> bool:
        start = self.position
        self.position += 1
        if mark == "`":
            end = self.text.find("`", self.position)
            if end < 0:
                return self.fail("unterminated raw quoted string")
            self.position = end + 1
            self.emit(RAW_STRING, start)
            return True
        while True:
            character = self.text[self.position : self.position + 1]
            if character == "\\" and self.text[self.position + 1 : self.position + 2] not in ("", "\n"):
                self.position += 2
                continue
            if character in ("", "\n", "\\"):
                kind = "quoted string" if mark == '"' else "character constant"
                return self.fail(f"unterminated {kind}")
            self.position += 1
            if character == mark:
                self.emit(STRING if mark == '"' else CHARACTER, start)
                return True

    def _identifier(self) -> bool:
        start = self.position
        self._word()
        if not self._at_terminator():
            return self.fail(f"bad character {unicode_name(self.text[self.position])}")
        word = self.text[start : self.position]
        if word in KEYWORDS:
            self.emit(word, start)
        elif word in ("true", "false"):
            self.emit(BOOL, start)
        else:
            self.emit(NIL if word == "nil" else IDENTIFIER, start)
        return True

    def _field(self, mark: str) -> bool:
        start = self.position
        self.position += 1
        if self._at_terminator():
            self.emit(DOT if mark == "." else VARIABLE, start)
            return True
        self._word()
        if not self._at_terminator():
            return self.fail(f"bad character {unicode_name(self.text[self.position])}")
        self.emit(FIELD if mark == "." else VARIABLE, start)
        return True

    def _word(self) -> None:
        while self.position < self.end and is_word(self.text[self.position]):
            self.position += 1

    def _at_terminator(self) -> bool:
        character = self.text[self.position : self.position + 1]
        return character in ("", *SPACES, ".", ",", "|", ":", ")", "(") or self.text.startswith("}}", self.position)

    def _accept(self, characters: str) -> bool:
        if self.text[self.position : self.position + 1] in tuple(characters):
            self.position += 1
            return True
        return False

    def _accept_run(self, characters: str) -> None:
        while self._accept(characters):
            pass

    def _number(self) -> bool:
        start = self.position
        good = self._scan_number()
        if good and self.text[self.position : self.position + 1] in ("+", "-"):  # complex: 1+2i
            good = self._scan_number() and self.text[self.position - 1] == "i"
        if not good:
            return self.fail(f"bad number syntax: {quote(self.text[start : self.position])}")
        self.emit(NUMBER, start)
        return True

    def _scan_number(self) -> bool:
        self._accept("+-")
        base = "0"
        if self._accept("0"):
            if self._accept("xX"):
                base = "x"
            elif self._accept("oO"):
                base = "o"
            elif self._accept("bB"):
                base = "b"
        digits = DIGITS[base]
        self._accept_run(digits)
        if self._accept("."):
            self._accept_run(digits)
        if (base == "0" and self._accept("eE")) or (base == "x" and self._accept("pP")):
            self._accept("+-")
            self._accept_run(DIGITS["0"])
        self._accept("i")
        if is_word(self.text[self.position : self.position + 1] or " "):
            self.position += 1
            return False
        return True
