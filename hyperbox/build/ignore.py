"""`.dockerignore`: which files of a context are sent, by docker's matching rules.

Patterns are matched as Go's filepath.Match with `**` for any number of folders; the last pattern that matches decides, `!` takes a path back
in, and a pattern that matches a folder matches all below it (https://docs.docker.com/build/concepts/context/#dockerignore-files).
"""

from __future__ import annotations

import posixpath
import re

from hyperbox.errors import HyperBoxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

MAXIMUM_PATTERNS = 100_000


class IgnoreError(HyperBoxError):
    """A pattern can't be understood."""


def read_patterns(text: str) -> list[str]:
    """Return the patterns of an ignore file, cleaned as docker cleans them; comments and empty lines are left out."""
    patterns = []
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines()):
        if line.startswith("#"):
            continue
        pattern = line.strip()
        if not pattern:
            continue
        if number > MAXIMUM_PATTERNS:
            raise IgnoreError(f"more than {MAXIMUM_PATTERNS} patterns in the ignore file")
        negated = pattern.startswith("!")
        if negated:
            pattern = pattern[1:].strip()
        if pattern:
            pattern = posixpath.normpath(pattern)
            if len(pattern) > 1 and pattern.startswith("/"):
                pattern = pattern.lstrip("/")
        patterns.append(f"!{pattern}" if negated else pattern)
    return patterns


def pattern_to_regex(pattern: str) -> str:
    """Return a regular expression for one pattern. Raises IgnoreError "syntax error in pattern"."""
    out = []
    index = 0
    while index < len(pattern):
        character = pattern[index]
        index += 1
        if character == "*":
            if pattern.startswith("*", index):
                index += 1
                if pattern.startswith("/", index):
                    index += 1
                out.append(".*" if index >= len(pattern) else "(.*/)?")
            else:
                out.append("[^/]*")
        elif character == "?":
            out.append("[^/]")
        elif character == "[":
            end = pattern.find("]", index + 1)
            if end < 0:
                raise IgnoreError(f'syntax error in pattern: "{pattern}"')
            inside = pattern[index:end].replace("\\", "\\\\").replace("[", "\\[")
            out.append(f"[{'^' + inside[1:] if inside.startswith('^') else inside}]")
            index = end + 1
        elif character == "\\":
            if index >= len(pattern):
                raise IgnoreError(f'syntax error in pattern: "{pattern}"')
            out.append(re.escape(pattern[index]))
            index += 1
        else:
            out.append(re.escape(character))
    return "".join(out)


class IgnoreRules:
    """The patterns of one ignore file, compiled. `excluded(path)` answers for a path relative to the context, "/" between parts."""

    __slots__ = ("folders", "has_exceptions", "rules")

    def __init__(self, patterns: Sequence[str]) -> None:
        self.rules: list[tuple[re.Pattern[str], bool]] = []
        self.folders: dict[str, tuple[bool, tuple[bool, ...]]] = {}
        for pattern in patterns:
            negated = pattern.startswith("!")
            text = pattern[1:] if negated else pattern
            if not text:
                raise IgnoreError('illegal exclusion pattern: "!"')
            if text == ".":
                continue
            try:
                compiled = re.compile(pattern_to_regex(text), re.DOTALL)
            except re.error:
                raise IgnoreError(f'syntax error in pattern: "{pattern}"') from None
            self.rules.append((compiled, negated))
        self.has_exceptions = any(negated for _, negated in self.rules)

    def excluded(self, path: str) -> bool:
        """Return whether the file or folder at `path` stays out of the context."""
        return self._matched(path)[0]

    def _matched(self, path: str) -> tuple[bool, tuple[bool, ...]]:
        """Return whether a path is excluded, and which patterns have matched it or a folder above it; the last of those decides."""
        parent = path.rpartition("/")[0]
        above: tuple[bool, ...] = ()
        if parent:
            if parent not in self.folders:
                self.folders[parent] = self._matched(parent)
            above = self.folders[parent][1]
        result, found = False, []
        for index, (pattern, negated) in enumerate(self.rules):
            match = (bool(above) and above[index]) or pattern.fullmatch(path) is not None
            found.append(match)
            if match:
                result = not negated
        return result, tuple(found)

    def prunes(self, path: str) -> bool:
        """Return whether a folder can be skipped with all below it: excluded, and no exception could bring a part back."""
        return not self.has_exceptions and self.excluded(path)
