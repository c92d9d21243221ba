"""The logging drivers that send a container's output elsewhere: their options, checked as docker does when it makes a container. Pure.

What can only be known when it starts (a certificate that is missing, nobody who listens) is told by `log_sinks`.
"""

from __future__ import annotations

from hyperbox.engine import log_options
from hyperbox.errors import InvalidParameter
from hyperbox.go import text as go_text
from hyperbox.go.durations import parse_duration
from hyperbox.go.units import parse_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Options = dict[str, str]

# driver -> its own options
OWN = {
    "syslog": frozenset(
        [
            "syslog-address",
            "syslog-facility",
            "syslog-tls-ca-cert",
            "syslog-tls-cert",
            "syslog-tls-key",
            "syslog-tls-skip-verify",
            "syslog-format",
        ]
    ),
    "journald": frozenset[str](),
    "gelf": frozenset(
        [
            "gelf-address",
            "gelf-compression-level",
            "gelf-compression-type",
            "gelf-tcp-max-reconnect",
            "gelf-tcp-reconnect-delay",
        ]
    ),
    "fluentd": frozenset(
        [
            "fluentd-address",
            "fluentd-async",
            "fluentd-async-reconnect-interval",
            "fluentd-buffer-limit",
            "fluentd-max-retries",
            "fluentd-request-ack",
            "fluentd-retry-wait",
            "fluentd-sub-second-precision",
            "fluentd-write-timeout",
        ]
    ),
    "splunk": frozenset(
        [
            "splunk-url",
            "splunk-token",
            "splunk-source",
            "splunk-sourcetype",
            "splunk-index",
            "splunk-capath",
            "splunk-caname",
            "splunk-insecureskipverify",
            "splunk-format",
            "splunk-verify-connection",
            "splunk-gzip",
            "splunk-gzip-level",
            "splunk-index-acknowledgment",
        ]
    ),
}
FACILITIES = [
    "kern",
    "user",
    "mail",
    "daemon",
    "auth",
    "syslog",
    "lpr",
    "news",
    "uucp",
    "cron",
    "authpriv",
    "ftp",
    ".",
    ".",
    ".",
    ".",
    "local0",
    "local1",
    "local2",
    "local3",
    "local4",
    "local5",
    "local6",
    "local7",
]
SYSLOG_FORMATS = ("", "rfc3164", "rfc5424", "rfc5424micro")


def check(driver: str, options: Options) -> None:
    """Raise InvalidParameter with docker's words for options that can't be."""
    disabled = options.get("cache-disabled", "false")
    if disabled not in go_text.TRUE | go_text.FALSE:
        raise InvalidParameter(f"invalid value for option cache-disabled: {disabled}")
    own = {name: value for name, value in options.items() if name not in log_options.CACHE | log_options.BUFFERING}
    if driver == "gelf" and not own.get("gelf-address"):
        raise InvalidParameter("gelf-address is a required parameter")
    for name in own:
        if name not in OWN[driver] | log_options.ATTRIBUTES:
            quoted = f'"{name}"' if driver == "gelf" else f"'{name}'"
            raise InvalidParameter(f"unknown log opt {quoted} for {driver} log driver")
    if driver in CHECKS:
        CHECKS[driver](own)


def facility(text: str) -> int:
    """Return a syslog facility's number, of its name or number. Raises InvalidParameter."""
    if text == "":
        return 3
    if text in FACILITIES and text != ".":
        return FACILITIES.index(text)
    if text.isascii() and text.isdigit() and int(text) <= 23:
        return int(text)
    raise InvalidParameter("invalid syslog facility")


def address(text: str, port: int) -> tuple[str, str, int]:
    """Return (scheme, host or path, port) of SCHEME://HOST[:PORT] or SCHEME://PATH. Raises ValueError with Go's words."""
    scheme, mark, rest = text.partition("://")
    if not mark:
        head = text.partition("/")[0]
        if ":" in head and not head.partition(":")[0].isalpha():
            raise ValueError(f'parse "{text}": first path segment in URL cannot contain colon')
        return "", text, port
    if scheme in ("unix", "unixgram"):
        return scheme, rest, 0
    place = rest.partition("/")[0]
    if place.startswith("["):
        host, _, number = place[1:].partition("]")
        number = number.removeprefix(":")
    else:
        host, _, number = place.partition(":")
    if number and not (number.isascii() and number.isdigit() and int(number) < 65536):
        raise ValueError(f'parse "{text}": invalid port ":{number}" after host')
    return scheme, host, int(number) if number else port


def syslog_address(options: Options) -> tuple[str, str, int]:
    """Return where syslog messages go; an empty scheme is this machine's own syslog. Raises InvalidParameter."""
    text = options.get("syslog-address", "")
    if not text:
        return "", "", 0
    try:
        found = address(text, 514)
    except ValueError as error:
        raise InvalidParameter(str(error)) from None
    if found[0] not in ("tcp", "udp", "unix", "unixgram", "tcp+tls"):
        raise InvalidParameter(f"unsupported scheme: '{found[0]}'")
    return found


def check_syslog(options: Options) -> None:
    """See `check`."""
    import os

    scheme, path, _ = syslog_address(options)
    if scheme.startswith("unix") and not os.path.exists(path):
        raise InvalidParameter(f"stat {path}: no such file or directory")
    facility(options.get("syslog-facility", ""))
    if options.get("syslog-format", "") not in SYSLOG_FORMATS:
        raise InvalidParameter("Invalid syslog format")


def gelf_address(options: Options) -> tuple[str, str, int]:
    """Return where GELF messages go. Raises InvalidParameter."""
    try:
        found = address(options["gelf-address"], 0)
    except ValueError as error:
        raise InvalidParameter(str(error)) from None
    if found[0] not in ("tcp", "udp"):
        raise InvalidParameter("gelf: endpoint needs to be TCP or UDP")
    if not found[1] or not found[2]:
        raise InvalidParameter("gelf: please provide gelf-address as proto://host:port")
    return found


def check_gelf(options: Options) -> None:
    """See `check`."""
    scheme = gelf_address(options)[0]
    for name, value in options.items():
        unknown = f'unknown value "{value}" for log opt "{name}" for gelf log driver'
        if name.startswith("gelf-compression-"):
            if scheme != "udp":
                raise InvalidParameter("compression is only supported on UDP")
            if name.endswith("type") and value not in ("gzip", "zlib", "none"):
                raise InvalidParameter(unknown)
            if name.endswith("level") and value not in ("-1", *"0123456789"):
                raise InvalidParameter(unknown)
        if name.startswith("gelf-tcp-"):
            if scheme != "tcp":
                raise InvalidParameter(f'"{name}" is only valid for TCP')
            if not (value.isascii() and value.isdigit()):
                raise InvalidParameter(f'"{name}" must be a positive integer')


def fluentd_address(options: Options) -> tuple[str, str, int]:
    """Return where fluentd listens. Raises InvalidParameter."""
    text = options.get("fluentd-address", "") or "tcp://127.0.0.1:24224"
    whole = text if "://" in text else f"tcp://{text}"
    lead = f"invalid fluentd-address ({text}): "
    try:
        scheme, host, port = address(whole, 24224)
    except ValueError as error:
        raise InvalidParameter(lead + str(error)) from None
    if scheme not in ("tcp", "tls", "unix"):
        raise InvalidParameter(f"{lead}unsupported scheme: '{scheme}'")
    if scheme == "unix" and not host:
        raise InvalidParameter(f"{lead}path is empty")
    if scheme != "unix" and "/" in whole.partition("://")[2]:
        raise InvalidParameter(f"{lead}should not contain a path element")
    return scheme, host, port


def check_fluentd(options: Options) -> None:
    """See `check`."""
    for name, value in options.items():
        if name in ("fluentd-async", "fluentd-request-ack", "fluentd-sub-second-precision"):
            parse_bool(value)
        elif name == "fluentd-max-retries" and not (value.isascii() and value.isdigit()):
            raise InvalidParameter(go_text.invalid_syntax("ParseUint", value))
        elif name == "fluentd-buffer-limit":
            try:
                parse_bytes(value)
            except ValueError as error:
                raise InvalidParameter(str(error)) from None
        elif name in ("fluentd-retry-wait", "fluentd-async-reconnect-interval", "fluentd-write-timeout"):
            lead = "" if name == "fluentd-retry-wait" else f"invalid value for {name}: "
            lead += "value must be a duration: " if name == "fluentd-write-timeout" else ""
            try:
                seconds(value)
            except ValueError as error:
                raise InvalidParameter(lead + str(error)) from None
    fluentd_address(options)


def seconds(text: str) -> float:
    """Return a Go duration in seconds. Raises ValueError with Go's words."""
    return parse_duration(text) / 1e9


def parse_bool(value: str) -> bool:
    """Return a boolean as Go reads it. Raises InvalidParameter."""
    try:
        return go_text.parse_bool(value)
    except ValueError as error:
        raise InvalidParameter(str(error)) from None


CHECKS: dict[str, Callable[[Options], object]] = {
    "syslog": check_syslog,
    "gelf": check_gelf,
    "fluentd": check_fluentd,
}
