"""`--change`: Dockerfile instructions applied to an image's configuration, for import and commit."""

from __future__ import annotations

from posixpath import join, normpath

from hyperbox.errors import InvalidParameter
from hyperbox.go.text import invalid_syntax, quote
from hyperbox.image.dockerfile_words import WordError, expand_to_words, json_words, split_words
from hyperbox.image.dockerfile_words import expand as expand_word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Json = dict[str, object]

DURATIONS = {
    "--interval": "Interval",
    "--timeout": "Timeout",
    "--start-period": "StartPeriod",
    "--start-interval": "StartInterval",
}
PROTOCOLS = ("tcp", "udp", "sctp")


def variables(config: Json) -> dict[str, str]:
    """Return the environment that instructions see."""
    env = config.get("Env")
    return {str(item).partition("=")[0]: str(item).partition("=")[2] for item in (env if isinstance(env, list) else ())}


def expand(text: str, known: Mapping[str, str]) -> str:
    """Return a text without its quotes, with the values of variables put in. Raises InvalidParameter with docker's words."""
    try:
        return expand_word(text, known)
    except WordError as error:
        raise InvalidParameter(f"failed to process {quote(text)}: {error.message}") from None


def _command(config: Json, key: str, text: str) -> None:
    listed = json_words(text)
    shell = config.get("Shell")
    prefix = [str(word) for word in shell] if isinstance(shell, list) and shell else ["/bin/sh", "-c"]
    config[key] = [*prefix, *([text] if text else [])] if listed is None else list(listed)


def _pairs(config: Json, name: str, text: str) -> list[tuple[str, str]]:
    """Return what ENV and LABEL name: NAME=VALUE …, or NAME and the whole rest."""
    known = variables(config)
    found = split_words(text)
    if "=" not in found[0]:
        first, _, rest = text.partition(" ")
        if not rest.strip():
            raise InvalidParameter(f"{name} must have two arguments")
        return [(first, expand(rest.strip(), known))]
    pairs = []
    for word in found:
        key, equals, value = word.partition("=")
        if not equals:
            raise InvalidParameter(f'Syntax error - can\'t find = in "{word}". Must be of the form: name=value')
        if not key:
            raise InvalidParameter(f"{name} names can not be blank")
        pairs.append((expand(key, known), expand(value, known)))
    return pairs


def _env(config: Json, text: str) -> None:
    env = [str(item) for item in config.get("Env") or []]  # type: ignore[attr-defined]
    for name, value in _pairs(config, "ENV", text):
        place = next((index for index, item in enumerate(env) if item.partition("=")[0] == name), len(env))
        env[place : place + 1] = [f"{name}={value}"]
    config["Env"] = env


def _label(config: Json, text: str) -> None:
    config["Labels"] = {**(config.get("Labels") or {}), **dict(_pairs(config, "LABEL", text))}  # type: ignore[dict-item]


def _set(config: Json, key: str, names: Sequence[str]) -> None:
    config[key] = {**(config.get(key) or {}), **{name: {} for name in names}}  # type: ignore[dict-item]


def _expose(config: Json, text: str) -> None:
    known = variables(config)
    found: list[str] = []
    for text_of_word in text.split():
        try:
            found += expand_to_words(text_of_word, known)
        except WordError as error:
            raise InvalidParameter(f"failed to process {quote(text_of_word)}: {error.message}") from None
    _set(config, "ExposedPorts", [port for word in found for port in _ports(word)])


def _ports(text: str) -> list[str]:
    """Return the ports of PORT[-PORT][/PROTOCOL]."""
    port, _, protocol = text.partition("/")
    protocol = protocol.lower() or "tcp"
    first, dash, last = port.partition("-")
    numbers = (first, last if dash else first)
    if not all(each.isascii() and each.isdigit() and int(each) <= 65535 for each in numbers):
        raise InvalidParameter(f"Invalid containerPort: {port}")
    if int(numbers[1]) < int(numbers[0]):
        raise InvalidParameter(f"Invalid containerPort: {port}")
    if protocol not in PROTOCOLS:
        raise InvalidParameter(f"Invalid proto: {protocol}")
    return [f"{number}/{protocol}" for number in range(int(numbers[0]), int(numbers[1]) + 1)]


def _volume(config: Json, text: str) -> None:
    listed = json_words(text)
    names = [expand(word, variables(config)).strip() for word in (text.split() if listed is None else listed)]
    if "" in names:
        raise InvalidParameter("VOLUME specified can not be an empty string")
    _set(config, "Volumes", names)


def _user(config: Json, text: str) -> None:
    config["User"] = expand(text, variables(config))


def _workdir(config: Json, text: str) -> None:
    config["WorkingDir"] = normpath(join("/", str(config.get("WorkingDir") or ""), expand(text, variables(config))))


def _stopsignal(config: Json, text: str) -> None:
    from hyperbox.kernel.signals import signal_number

    signal = expand(text, variables(config))
    signal_number(signal)
    config["StopSignal"] = signal


def _healthcheck(config: Json, text: str) -> None:
    check: Json = {}
    while text.startswith("--"):
        flag, _, text = text.partition(" ")
        _health_flag(check, flag)
        text = text.strip()
    kind, _, rest = text.partition(" ")
    rest = rest.strip()
    if not kind:
        raise InvalidParameter("HEALTHCHECK requires at least one argument")
    if kind.upper() == "NONE":
        if rest:
            raise InvalidParameter("HEALTHCHECK NONE takes no arguments")
        config["Healthcheck"] = {"Test": ["NONE"]}
        return
    if kind.upper() != "CMD":
        raise InvalidParameter(f'Unknown type "{kind.upper()}" in HEALTHCHECK (try CMD)')
    listed = json_words(rest)
    if not (rest if listed is None else listed):
        raise InvalidParameter("Missing command after HEALTHCHECK CMD")
    config["Healthcheck"] = {"Test": ["CMD-SHELL", rest] if listed is None else ["CMD", *listed], **check}


def _health_flag(check: Json, flag: str) -> None:
    from hyperbox.go.durations import parse_duration

    name, _, value = flag.partition("=")
    if name in DURATIONS:
        try:
            nanoseconds = parse_duration(value) if value else 0
        except ValueError as error:
            raise InvalidParameter(str(error)) from None
        if nanoseconds:
            check[DURATIONS[name]] = nanoseconds
    elif name == "--retries":
        if not value.lstrip("+-").isdigit():
            raise InvalidParameter(invalid_syntax("ParseInt", value))
        if int(value) < 0:
            raise InvalidParameter(f"--retries cannot be negative ({int(value)})")
        if int(value):
            check["Retries"] = int(value)
    else:
        raise InvalidParameter(f"unknown flag: {name}")


def _onbuild(config: Json, text: str) -> None:
    trigger = text.split()[0].upper()
    if trigger == "ONBUILD":
        raise InvalidParameter("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
    if trigger in ("MAINTAINER", "FROM"):
        raise InvalidParameter(f"{trigger} isn't allowed as an ONBUILD trigger")
    config["OnBuild"] = [*(config.get("OnBuild") or []), text]  # type: ignore[misc]


CHANGES: dict[str, Callable[[Json, str], None]] = {
    "CMD": lambda config, text: _command(config, "Cmd", text),
    "ENTRYPOINT": lambda config, text: _command(config, "Entrypoint", text),
    "ENV": _env,
    "LABEL": _label,
    "EXPOSE": _expose,
    "VOLUME": _volume,
    "USER": _user,
    "WORKDIR": _workdir,
    "STOPSIGNAL": _stopsignal,
    "HEALTHCHECK": _healthcheck,
    "ONBUILD": _onbuild,
}
# what they say where nothing stands behind them
BARE = frozenset({"CMD", "ENTRYPOINT"})
ONE = frozenset({"USER", "WORKDIR", "STOPSIGNAL"})


def apply_changes(config: Json, changes: Sequence[str]) -> Json:
    """Return `config` with the instructions applied. Raises InvalidParameter naming the one that is not possible here."""
    changed = dict(config)
    has_command = False
    for change in changes:
        name, _, rest = change.strip().partition(" ")
        if not name or name.startswith("#"):
            raise InvalidParameter("file with no instructions")
        apply = CHANGES.get(name.upper())
        if apply is None:
            raise InvalidParameter(f"{name} is not a valid change command")
        if not rest.strip() and name.upper() not in BARE:
            many = "exactly one argument" if name.upper() in ONE else "at least one argument"
            raise InvalidParameter(f"{name.upper()} requires {many}")
        apply(changed, rest.strip())
        if name.upper() == "CMD":
            has_command = True
        elif name.upper() == "ENTRYPOINT" and not has_command:
            changed["Cmd"] = None  # a command is its entrypoint's
    return changed
