"""Variables in strings: `$V`, `${V}`, `${V:-default}`, `${V-default}`, `${V:?error}`, `${V?error}`, `${V:+other}`, `${V+other}`, `$$`.

`substitute` does one string, `interpolate` a whole document, and then turns strings at the paths of CASTS into the type that stands there.
https://github.com/compose-spec/compose-spec/blob/main/12-interpolation.md
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Protocol

from hyperbox.compose.tree import Rules, compile_rules, join
from hyperbox.errors import ComposeError
from hyperbox.go.numbers import parse_float, parse_int
from hyperbox.go.text import quote

# how deep defaults may hold variables with defaults; real files stay below five
NESTING = 64
# how deep any braces may be, those of JSON in a default too
BRACES = 4 * NESTING
# how many characters variables may put into one document; without a limit a few lines can ask for gigabytes
PRODUCED = 16 << 20

_NAME = re.compile(r"[_a-z][_a-z0-9]*", re.IGNORECASE)
_OPERATOR = re.compile(r":?[-+?]")
# what follows an opening brace is passed over, whatever it is
_BRACE = re.compile(r"\{.?|\}", re.DOTALL)


class Lookup(Protocol):
    """Variables by name, as far as interpolation needs it: a dict is one."""

    def get(self, name: str, /) -> str | None:
        """Return the value, or None when it is not set."""


class InvalidTemplate(ValueError):
    """A `${` that does not parse; `template` is the string around it."""

    def __init__(self, template: str) -> None:
        super().__init__(f"Invalid template: {quote(template)}")
        self.template = template


class MissingRequired(ValueError):
    """A variable with `?` that is not set."""

    def __init__(self, variable: str, reason: str) -> None:
        super().__init__(f"required variable {variable} is missing a value" + (f": {reason}" if reason else ""))


class TooLarge(ValueError):
    """Variables stand for more text than a document may have."""

    def __init__(self) -> None:
        super().__init__(f"variables stand for more than {PRODUCED >> 20} MiB")


class Substitution:
    """Replaces variables by the values of a mapping; `warn` hears of those that are not set."""

    __slots__ = ("lookup", "produced", "warn")

    def __init__(self, lookup: Lookup, warn: Callable[[str], None]) -> None:
        self.lookup = lookup
        self.warn = warn
        self.produced = 0

    def produce(self, text: str) -> str:
        """Count what a variable stands for. Raises TooLarge."""
        self.produced += len(text)
        if self.produced > PRODUCED:
            raise TooLarge
        return text

    def apply(self, template: str, depth: int = 0) -> str:
        """Return `template` with its variables replaced. Raises InvalidTemplate, MissingRequired, TooLarge."""
        if "$" not in template:
            return template
        if depth > NESTING:
            raise InvalidTemplate(template)
        out: list[str] = []
        # what is scanned: a part of the template; what follows a closed ${…} up to the line's last brace is a template of its own in errors
        begin, position, end = 0, 0, len(template)
        while True:
            dollar = template.find("$", position, end)
            if dollar < 0:
                out.append(template[position:end])
                if end == len(template):
                    return "".join(out)
                begin, position, end = 0, end, len(template)
                continue
            out.append(template[position:dollar])
            following = template[dollar + 1 : dollar + 2] if dollar + 1 < end else ""
            name = _NAME.match(template, dollar + 1, end)
            if following == "$":
                out.append("$")
                position = dollar + 2
            elif name:
                out.append(self.produce(self.value(name.group())))
                position = name.end()
            elif following == "{":
                value, position, last = self.braced(template, begin, dollar, end, depth)
                out.append(self.produce(value))
                if position < last:
                    begin, end = position, last
            else:
                out.append("$")
                position = dollar + 1

    def braced(self, template: str, begin: int, dollar: int, end: int, depth: int) -> tuple[str, int, int]:
        """Replace the `${…}` at `dollar`; return its value, where it ends, and where the last brace of its line ends."""
        name = _NAME.match(template, dollar + 2, end)
        if name and template[name.end() : name.end() + 1] == "}" and name.end() < end:
            return self.value(name.group()), name.end() + 1, name.end() + 1
        operator = _OPERATOR.match(template, name.end(), end) if name else None
        if not name or not operator:
            raise InvalidTemplate(template[begin:end])
        line_end = template.find("\n", operator.end(), end)
        last = template.rfind("}", operator.end(), end if line_end < 0 else line_end) + 1
        if not last:
            raise InvalidTemplate(template[begin:end])
        closing = closing_brace(template, dollar, last)
        argument = self.apply(template[operator.end() : closing], depth + 1)
        return self.choose(name.group(), operator.group(), argument), closing + 1, last

    def choose(self, name: str, operator: str, argument: str) -> str:
        """Apply one operator; `argument` is already substituted, whether it is used or not, as docker compose does."""
        value = self.lookup.get(name)
        given = value is not None and (bool(value) or operator[0] != ":")
        if operator[-1] == "?":
            if not given:
                raise MissingRequired(name, argument)
            return value or ""
        if operator[-1] == "-":
            return (value or "") if given else argument
        return argument if given else (value or "")

    def value(self, name: str) -> str:
        """Return the value of a plain variable; "" with a warning when it is not set."""
        value = self.lookup.get(name)
        if value is None:
            self.warn(f'The "{name}" variable is not set. Defaulting to a blank string.')
            return ""
        return value


def closing_brace(template: str, start: int, last: int) -> int:
    """Return where the brace opened at `start` + 1 closes, or the last brace when the braces don't balance.

    Raises InvalidTemplate for braces within braces far beyond what variables may have.
    """
    level = 0
    for brace in _BRACE.finditer(template, start, last):
        if brace.group() == "}":
            level -= 1
            if level == 0:
                return brace.start()
        else:
            level += 1
            if level > BRACES:
                raise InvalidTemplate(template)
    return last - 1


def _to_int(value: str) -> object:
    return parse_int(value, function="Atoi")


def _to_int64(value: str) -> object:
    return parse_int(value)


def _to_float(value: str) -> object:
    return parse_float(value)


def _to_single(value: str) -> object:
    return parse_float(value, 32)


class Boolean:
    """Marker of CASTS: true, false, and with a warning the words of YAML 1.1."""

    __slots__ = ()


def to_boolean(value: str, warn: Callable[[str], None]) -> bool:
    """Return the boolean that `value` spells. Raises ValueError."""
    word = value.lower()
    if word in ("true", "false"):
        return word == "true"
    for words, meaning in ((("y", "yes", "on"), True), (("n", "no", "off"), False)):
        if word in words:
            proper = "true" if meaning else "false"
            warn(f"{quote(value)} for boolean is not supported by YAML 1.2, please use `{proper}`")
            return meaning
    raise ValueError(f"invalid boolean: {value}")


Cast = Callable[[str], object]
_BOOLEAN = Boolean()
_INTEGERS64 = (
    "cpu_count", "cpu_period", "cpu_quota", "cpu_rt_period", "cpu_rt_runtime", "cpu_shares", "oom_score_adj", "pids_limit",
)  # fmt: skip
_INTEGERS = (
    "deploy.replicas", "deploy.update_config.parallelism", "deploy.rollback_config.parallelism", "deploy.restart_policy.max_attempts",
    "deploy.placement.max_replicas_per_node", "healthcheck.retries", "ports.[].target", "scale", "ulimits.*", "ulimits.*.hard",
    "ulimits.*.soft",
)  # fmt: skip
_FLOATS = ("cpu_percent", "deploy.update_config.max_failure_ratio", "deploy.rollback_config.max_failure_ratio")
_BOOLEANS = (
    "init", "healthcheck.disable", "oom_kill_disable", "privileged", "read_only", "stdin_open", "tty", "volumes.[].read_only",
    "volumes.[].volume.nocopy",
)  # fmt: skip
_RESOURCE_BOOLEANS = (
    "networks.*.external", "networks.*.internal", "networks.*.attachable", "networks.*.enable_ipv4", "networks.*.enable_ipv6",
    "volumes.*.external", "secrets.*.external", "configs.*.external",
)  # fmt: skip

CASTS: Rules[Cast | Boolean] = compile_rules(
    {f"services.*.{key}": _to_int64 for key in _INTEGERS64}
    | {f"services.*.{key}": _to_int for key in _INTEGERS}
    | {f"services.*.{key}": _to_float for key in _FLOATS}
    | {"services.*.cpus": _to_single}
    | {f"services.*.{key}": _BOOLEAN for key in _BOOLEANS}
    | dict.fromkeys(_RESOURCE_BOOLEANS, _BOOLEAN)
)


def interpolate(document: dict[str, object], lookup: Lookup, warn: Callable[[str], None]) -> dict[str, object]:
    """Return a copy of `document` with variables replaced and strings cast. Raises ComposeError naming the path."""
    substitution = Substitution(lookup, warn)
    result = _walk(document, "", CASTS, substitution)
    assert isinstance(result, dict)
    return result


def _walk(value: object, path: str, casts: Rules[Cast | Boolean] | None, substitution: Substitution) -> object:
    if isinstance(value, str):
        if casts is None or casts.rule is None:
            return _string(value, path, substitution) if "$" in value else value
        return _cast(_string(value, path, substitution), path, casts.rule, substitution.warn)
    if isinstance(value, dict):
        return {
            key: _walk(item, join(path, key), casts.below(key) if casts else None, substitution)
            for key, item in value.items()
        }
    if isinstance(value, list):
        below = casts.below("[]") if casts else None
        inner = join(path, "[]")
        return [_walk(item, inner, below, substitution) for item in value]
    return value


def _string(value: str, path: str, substitution: Substitution) -> str:
    try:
        return substitution.apply(value)
    except InvalidTemplate as error:
        raise ComposeError(
            f"invalid interpolation format for {path}.\nYou may need to escape any $ with another $.\n{error.template}"
        ) from None
    except (MissingRequired, TooLarge) as error:
        raise ComposeError(f"error while interpolating {path}: {error}") from None


def _cast(value: str, path: str, rule: Cast | Boolean, warn: Callable[[str], None]) -> object:
    try:
        if isinstance(rule, Boolean):
            return to_boolean(value, warn)
        return rule(value)
    except ValueError as error:
        raise ComposeError(f"error while interpolating {path}: failed to cast to expected type: {error}") from None
