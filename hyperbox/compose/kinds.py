"""The kinds of value that an attribute can have: how each is read into the canonical form, and how the two outputs show it.

`read` takes the value of a validated document; it raises DecodeError with docker compose's words. Which attribute has which kind
is in `fields`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from hyperbox.compose import go
from hyperbox.compose.quantities import parse_duration, split_words
from hyperbox.errors import ComposeError
from hyperbox.go.durations import format_duration
from hyperbox.go.numbers import INT_MIN, NumberError, parse_float, parse_int, single
from hyperbox.go.text import quote
from hyperbox.go.units import parse_bytes

Json = dict[str, object]


class DecodeError(ValueError):
    """A value that does not fit its attribute; `at` is appended to the attribute's path: "[0]"."""

    def __init__(self, message: str, at: str = "") -> None:
        super().__init__(message)
        self.at = at


class Single(float):
    """A float of 32 bits: it prints with fewer digits."""

    __slots__ = ()


class Kind(NamedTuple):
    """One kind of value.

    read      value -> canonical value
    keep      zero values stay (a pointer in Go); else False, 0, "", [] and {} mean absent
    zero      the canonical form of zero, where that isn't false in Python
    to_yaml   canonical value -> what YAML shows, where that differs
    to_json   canonical value -> what JSON shows, where that differs
    sort      a mapping of the user's own keys: shown sorted
    boolean   takes the words of YAML 1.1 too, with a warning
    """

    read: Callable[[object], object]
    keep: bool = False
    zero: str = ""
    to_yaml: Callable[[object], object] | None = None
    to_json: Callable[[object], object] | None = None
    sort: bool = False
    boolean: bool = False


def _unconvertible(expected: str, value: object) -> DecodeError:
    return DecodeError(f"expected type '{expected}', got unconvertible type '{go.type_name(value)}'")


def _text(value: object) -> object:
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise _unconvertible("string", value)


def _boolean(value: object) -> object:
    if isinstance(value, bool):
        return value
    raise _unconvertible("bool", value)


def _integer(value: object) -> object:
    if isinstance(value, bool):
        raise _unconvertible("int", value)
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if abs(value) < 2**63 else INT_MIN
    if isinstance(value, str):
        return parse_int(value)
    raise _unconvertible("int", value)


def _small(limit: int, name: str) -> Callable[[object], object]:
    """Return a reader of an unsigned integer type of Go."""

    def read(value: object) -> object:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _unconvertible(name, value)
        if value < 0:
            raise DecodeError(f"cannot parse value as '{name}': {go.sprint(value)} overflows uint")
        # a float that is too large becomes what the processor makes of it
        return (int(value) if value < 2**64 else 2**63) % limit

    return read


def _single(value: object) -> object:
    if isinstance(value, bool):
        raise _unconvertible("float32", value)
    if isinstance(value, int | float):
        return Single(single(float(value)))
    if isinstance(value, str):
        return Single(parse_float(value, 32))
    raise _unconvertible("float32", value)


def _cpus(value: object) -> object:
    if isinstance(value, str):
        return Single(single(parse_float(value)))
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DecodeError(f"unexpected value type {go.type_name(value)} for cpus")
    return Single(single(float(value)))


def _bytes(value: object) -> object:
    if isinstance(value, str):
        return str(parse_bytes(value))
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return "0"


def _duration(value: object) -> object:
    return format_duration(parse_duration(go.sprint(value)))


def _command(value: object) -> object:
    if isinstance(value, str):
        return list(split_words(value))
    return list(value) if isinstance(value, list) else None


def _texts(value: object) -> object:
    if not isinstance(value, list):
        raise DecodeError(f"source data must be an array or slice, got {go.type_name(value)}")
    result: list[object] = []
    for index, item in enumerate(value):
        try:
            result.append("" if item is None else _text(item))
        except DecodeError as error:
            raise DecodeError(str(error), f"[{index}]") from None
    return result


def _string_list(value: object) -> object:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return list(value)
    raise DecodeError(f"invalid type {go.type_name(value)} for string list")


def _number_list(value: object) -> object:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [go.sprint(item) for item in value]
    raise DecodeError(f"invalid type {go.type_name(value)} for string list")


def _labels(value: object) -> object:
    if isinstance(value, dict):
        return {key: "" if item is None else go.sprint(item) for key, item in value.items()}
    if isinstance(value, list):
        pairs = [go.sprint(item).partition("=") for item in value]
        return {key: item for key, _, item in pairs}
    raise DecodeError(f"unexpected value type {go.type_name(value)} for labels")


def _mapping(value: object) -> object:
    if not isinstance(value, dict | list):
        raise DecodeError(f"unexpected value type {go.type_name(value)} for mapping")
    return _labels(value)


def _environment(value: object) -> object:
    if isinstance(value, dict):
        return {key: None if item is None else go.sprint(item) for key, item in value.items()}
    if not isinstance(value, list):
        raise DecodeError(f"unexpected value type {go.type_name(value)} for mapping")
    variables: dict[str, str | None] = {}
    for item in value:
        key, equals, text = go.sprint(item).partition("=")
        if key and key[-1].isspace():
            raise DecodeError(f"environment variable {key} is declared with a trailing space")
        variables[key] = text if equals else None
    return variables


def _options(value: object) -> object:
    if not isinstance(value, dict):
        raise DecodeError(f"invalid type {go.type_name(value)} for options")
    return _labels(value)


def _multi_options(value: object) -> object:
    if not isinstance(value, dict):
        raise DecodeError(f"invalid type {go.type_name(value)} for options")
    return {
        key: [go.sprint(inner) for inner in item] if isinstance(item, list) else [go.sprint(item)]
        for key, item in value.items()
        if item != []
    }


def _text_map(value: object) -> object:
    if not isinstance(value, dict):
        raise DecodeError(f"expected a map or struct, got {quote(go.type_name(value))}")
    result: Json = {}
    for key, item in value.items():
        try:
            result[key] = "" if item is None else _text(item)
        except DecodeError as error:
            raise DecodeError(str(error), f"[{key}]") from None
    return result


def _hosts(value: object) -> object:
    """Addresses by host, as a sorted list of "host=address"."""
    hosts: dict[str, list[str]] = {}
    if isinstance(value, dict):
        for host, addresses in value.items():
            if not isinstance(addresses, str | list | None):
                raise DecodeError("unexpected value type map[string]interface {} for extra_hosts entry")
            hosts[host] = [go.sprint(item) for item in addresses] if isinstance(addresses, list) else [addresses or ""]
    elif isinstance(value, list):
        for item in value:
            entry = go.sprint(item)
            separator = "=" if "=" in entry else ":"
            host, found, addresses = entry.partition(separator)
            if not found:
                raise DecodeError(f"invalid additional host, missing IP: {entry}")
            hosts.setdefault(host, []).extend(addresses.split(","))
    else:
        raise DecodeError(f"unexpected value type {go.type_name(value)} for extra_hosts")
    for host in hosts:
        if not host or ":" in host or "=" in host:
            raise DecodeError(f"bad host name '{host}'")
    return sorted(f"{host}={_unbracketed(ip)}" for host, addresses in hosts.items() for ip in addresses)


def _unbracketed(address: str) -> str:
    return address[1:-1] if len(address) > 2 and address[0] == "[" and address[-1] == "]" else address


def _ssh(value: object) -> object:
    if not isinstance(value, dict):
        raise DecodeError(f"invalid ssh config type {go.type_name(value)}")
    return [{"id": key, "path": "" if path is None else go.sprint(path)} for key, path in sorted(value.items())]


def _ssh_to_yaml(keys: object) -> object:
    assert isinstance(keys, list)
    return [f"{key['id']}: {key['path']}" if key["path"] else key["id"] for key in keys]


def _ssh_to_json(keys: object) -> object:
    """A key with a path has no JSON form in docker compose either, which says so in the words of Go's encoder."""
    assert isinstance(keys, list)
    if any(key["path"] for key in keys):
        raise ComposeError(
            "json: error calling MarshalJSON for type types.SSHKey: invalid character ':' after top-level value"
        )
    return [key["id"] for key in keys]


def _ulimits(value: object) -> object:
    if not isinstance(value, dict):
        raise DecodeError(f"expected a map or struct, got {quote(go.type_name(value))}")
    limits: Json = {}
    for name, limit in value.items():
        if isinstance(limit, dict):
            soft, hard = limit.get("soft", 0), limit.get("hard", 0)
            if not isinstance(soft, int) or not isinstance(hard, int):
                raise DecodeError(f"unexpected value type {go.type_name(limit)} for ulimit", f"[{name}]")
            limits[name] = {"soft": soft, "hard": hard}
        elif isinstance(limit, int) and not isinstance(limit, bool):
            limits[name] = limit or {"soft": 0, "hard": 0}
        else:
            raise DecodeError(f"unexpected value type {go.type_name(limit)} for ulimit", f"[{name}]")
    return limits


def _ulimits_to_json(limits: object) -> object:
    assert isinstance(limits, dict)
    return {
        name: {key: item for key, item in limit.items() if item} if isinstance(limit, dict) else limit
        for name, limit in limits.items()
    }


def _file_mode(value: object) -> object:
    if isinstance(value, str):
        return f"0{_octal(parse_int(value, base=8))}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"0{_octal(value)}"
    raise DecodeError(f"unexpected value type {go.type_name(value)} for mode")


def _octal(value: int) -> str:
    return f"-{-value:o}" if value < 0 else f"{value:o}"


def _device_count(value: object) -> object:
    if isinstance(value, str):
        if value.lower() == "all":
            return -1
        try:
            return parse_int(value)
        except NumberError:
            raise DecodeError(f"invalid value {quote(value)}, the only value allowed is 'all' or a number") from None
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise DecodeError(f"invalid type {go.type_name(value)} for device count")


def _health_test(value: object) -> object:
    if isinstance(value, str):
        return ["CMD-SHELL", value]
    if isinstance(value, list):
        return list(value)
    raise DecodeError(f"unexpected value type {go.type_name(value)} for healthcheck.test")


TEXT = Kind(_text)
BOOLEAN = Kind(_boolean, boolean=True)
BOOLEAN_OR_NONE = Kind(_boolean, keep=True, boolean=True)
INTEGER = Kind(_integer)
INTEGER_OR_NONE = Kind(_integer, keep=True)
INTEGER_ALWAYS = Kind(_integer, keep=True)
UNSIGNED = Kind(_small(2**64, "uint64"))
UNSIGNED_OR_NONE = Kind(_small(2**64, "uint64"), keep=True)
UNSIGNED16 = Kind(_small(2**16, "uint16"))
UNSIGNED32 = Kind(_small(2**32, "uint32"))
SINGLE = Kind(_single)
CPUS = Kind(_cpus)
BYTES = Kind(_bytes, zero="0")
DURATION = Kind(_duration, zero="0s")
DURATION_OR_NONE = Kind(_duration, keep=True)
COMMAND = Kind(_command, keep=True)
TEXTS = Kind(_texts)
STRING_LIST = Kind(_string_list)
NUMBER_LIST = Kind(_number_list)
HEALTH_TEST = Kind(_health_test)
LABELS = Kind(_labels, sort=True)
MAPPING = Kind(_mapping, sort=True)
ENVIRONMENT = Kind(_environment, sort=True)
OPTIONS = Kind(_options, sort=True)
MULTI_OPTIONS = Kind(_multi_options, sort=True)
TEXT_MAP = Kind(_text_map, sort=True)
HOSTS = Kind(_hosts)
SSH = Kind(_ssh, to_yaml=_ssh_to_yaml, to_json=_ssh_to_json)
ULIMITS = Kind(_ulimits, to_json=_ulimits_to_json, sort=True)
FILE_MODE = Kind(_file_mode, keep=True)
DEVICE_COUNT = Kind(_device_count)
