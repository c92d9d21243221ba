"""Reading the flags of one level of a command line: names looked up, values collected, by the rules of pflag."""

from __future__ import annotations

from hyperbox.go.text import quote
from hyperbox.grammar.values import CHECKED, CONVERTERS, LISTS, MAPS, check_filter, split_commas

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hyperbox.errors import UsageError
    from hyperbox.grammar.records import Flag

DRY_RUN: Flag = ("dry-run", "", "bool", False, None)
HELP: Flag = ("help", "", "bool", False, None)
SHORT_HELP: Flag = ("help", "h", "bool", False, None)


class FlagSet:
    """The flags that one level knows, and what was given.

    values   long name -> value; defaults first. A flag that is another word for one ("same") sets that one
    given    the names that were given
    refused  (name, why) of given flags that HyperBox does not honour
    typed    the names as they were written, and how often
    help     whether --help or its deprecated short -h was given
    """

    __slots__ = ("error", "given", "help", "long", "notices", "refused", "short", "typed", "values")

    def __init__(
        self,
        flags: Sequence[Flag],
        error: Callable[[str], UsageError],
        notices: list[str],
        *,
        dry_run: bool = False,
    ) -> None:
        self.error = error
        self.notices = notices
        self.values: dict[str, object] = {}
        self.given: dict[str, bool] = {}
        self.typed: dict[str, int] = {}
        self.refused: list[tuple[str, str]] = []
        self.help = False
        self.long: dict[str, Flag] = {}
        self.short: dict[str, Flag] = {}
        normal: list[Flag] = []
        for flag in (*flags, DRY_RUN) if dry_run else flags:
            name, short, kind, default, notes = flag
            self.long[name] = flag
            if short:
                self.short[short] = flag
            if notes is not None and "normal" in notes:
                normal.append(flag)
            elif notes is None or "same" not in notes:
                self.values[name] = default if default is not None else [] if kind in LISTS else {}

        for flag in normal:
            self.long[flag[0]] = self.long[(flag[4] or {})["normal"]]

    def read(self, words: Sequence[str], *, interspersed: bool) -> list[str]:
        """Read the flags off `words` and return the arguments; not `interspersed`: the first argument ends the flags.

        Raises the error that the level's `error` makes.
        """
        arguments: list[str] = []
        index = 0
        while index < len(words):
            word = words[index]
            index += 1
            if len(word) < 2 or word[0] != "-":
                if not interspersed:
                    return [word, *words[index:]]
                arguments.append(word)
            elif word == "--":
                arguments.extend(words[index:])
                break
            elif word[1] == "-":
                index = self._long(word, words, index)
            else:
                index = self._cluster(word, words, index)
        return arguments

    def _long(self, word: str, words: Sequence[str], index: int) -> int:
        name, equals, value = word[2:].partition("=")
        if not name or name[0] == "-":
            raise self.error(f"bad flag syntax: {word}")
        flag = self.long.get(name)
        if flag is None:
            if name != "help":
                raise self.error(f"unknown flag: --{name}")
            flag = HELP
        if not equals:
            optional = _optional(flag)
            if optional is not None:
                value = optional
            elif index < len(words):
                value = words[index]
                index += 1
            else:
                raise self.error(f"flag needs an argument: --{name}")
        self._set(flag, value)
        return index

    def _cluster(self, word: str, words: Sequence[str], index: int) -> int:
        letters = word[1:]
        while letters:
            letter = letters[0]
            flag = self.short.get(letter)
            if flag is None:
                if letter != "h":
                    raise self.error(f"unknown shorthand flag: '{letter}' in -{letters}")
                flag = SHORT_HELP
            if len(letters) > 2 and letters[1] == "=":
                self._set(flag, letters[2:])
                return index
            optional = _optional(flag)
            if optional is not None:
                self._set(flag, optional)
                letters = letters[1:]
                continue
            if len(letters) > 1:
                self._set(flag, letters[1:])
            elif index < len(words):
                self._set(flag, words[index])
                index += 1
            else:
                raise self.error(f"flag needs an argument: '{letter}' in -{letters}")
            return index
        return index

    def _set(self, flag: Flag, text: str) -> None:
        """Store one value given for `flag`; raises the level's error with the type's words when it does not fit."""
        name, short, kind, _, notes = flag
        target = name if notes is None else notes.get("same", name)
        try:
            value = self._value(kind, target, text)
        except ValueError as reason:
            spelled = f"-{short}, --{name}" if short and flag is not SHORT_HELP else f"--{name}"
            raise self.error(f'invalid argument {quote(text)} for "{spelled}" flag: {reason}') from None
        if flag is SHORT_HELP:
            self.notices.append("Flag shorthand -h has been deprecated, use --help")
        if flag is HELP or flag is SHORT_HELP:
            self.help = bool(value)
            return
        self.values[target] = value
        self.given[target] = True
        self.typed[name] = self.typed.get(name, 0) + 1
        if notes is not None:
            if "deprecated" in notes:
                self.notices.append(f"Flag --{name} has been deprecated, {notes['deprecated']}")
            if "why" in notes:
                self.refused.append((name, notes["why"]))

    def _value(self, kind: str, target: str, text: str) -> object:
        """Return the flag's whole value with `text` taken in: a list or map grows, everything else is replaced."""
        if kind in CHECKED and (
            kind != "network" or "=" in text
        ):  # a plain name is nothing to check, and --network none is hot
            from hyperbox.grammar.checks import CHECKS

            CHECKS[kind](text)
        if kind in LISTS:
            held = self.values[target] if target in self.given else []
            assert isinstance(held, list)
            if kind == "strings":
                return held + split_commas(text)
            if kind == "filter":
                check_filter(text)
            return [*held, text]
        if kind in MAPS:
            known = self.values[target] if target in self.given else {}
            assert isinstance(known, dict)
            pairs = {}
            for part in (split_commas(text) or [text]) if kind == "stringToString" else [text]:
                key, equals, value = part.partition("=")
                if kind == "stringToString" and not equals:
                    raise ValueError(f"{part} must be formatted as key=value")
                pairs[key] = value
            return {**known, **pairs}
        convert = CONVERTERS.get(kind)
        return text if convert is None else convert(text)


def _optional(flag: Flag) -> str | None:
    """Return the value of a flag that is given without one, or None where it needs one."""
    if flag[2] == "bool":
        return "true"
    return None if flag[4] is None else flag[4].get("optional")


def is_separate_value(word: str, flags: Sequence[Flag]) -> bool:
    """Return whether the word after the flag `word` is its value: how cobra finds a command behind the flags of a group.

    Like cobra it takes an unknown long flag for one with a value, and looks at short flags only when they stand alone.
    """
    if "=" in word or word == "--":
        return word == "--"
    if word.startswith("--"):
        known = next((flag for flag in flags if flag[0] == word[2:]), HELP if word == "--help" else None)
        return known is None or _optional(known) is None
    if len(word) != 2:
        return False
    known = next((flag for flag in flags if flag[1] == word[1]), HELP if word == "-h" else None)
    return known is None or _optional(known) is None
