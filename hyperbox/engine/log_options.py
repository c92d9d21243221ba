"""HostConfig.LogConfig: how a container logs, and what is written beside each line. Pure.

Names are checked when a container is made, values when it starts, as docker does it.
"""

from __future__ import annotations

from hyperbox.errors import EngineError, InvalidParameter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.engine.state import Container

    Json = dict[str, object]

SIZES = frozenset({"max-size", "max-file", "compress"})
BUFFERING = frozenset({"mode", "max-buffer-size"})
CACHE = frozenset({"cache-disabled", "cache-max-size", "cache-max-file", "cache-compress"})
ATTRIBUTES = frozenset({"labels", "labels-regex", "env", "env-regex", "tag"})
# driver -> the options that it knows, beside those of the buffer
DRIVERS = {"json-file": SIZES | ATTRIBUTES, "local": SIZES, "none": frozenset[str]()}
# those that send output elsewhere, see log_drivers; a copy is kept for `logs`
FORWARDED = frozenset({"syslog", "journald", "gelf", "fluentd", "splunk"})
# docker has these, HyperBox not
OTHER_DRIVERS = frozenset({"awslogs", "gcplogs"})
LOCAL_SIZE = 20 << 20  # bytes: what driver local rotates at where nothing is said
FAILED = "failed to create task for container: failed to initialize logging driver: "


class LogOptions:
    """How a container logs.

    max_size    bytes to rotate the file at, 0 for never
    attributes  what stands beside each line (labels, variables, a tag), shown by `logs --details`
    forward     the driver that sends output elsewhere, "" for none, and `given`, its options; `driver` is then that of the copy
    """

    __slots__ = ("attributes", "compress", "driver", "forward", "given", "max_file", "max_size")

    def __init__(
        self,
        driver: str,
        max_size: int,
        max_file: int,
        compress: bool,
        attributes: dict[str, str] | None = None,
        *,
        forward: str = "",
        given: dict[str, str] | None = None,
    ) -> None:
        self.forward = forward
        self.given = given if given is not None else {}
        self.driver = driver
        self.max_size = max_size
        self.max_file = max_file
        self.compress = compress
        self.attributes = attributes if attributes is not None else {}


def config_of(host_config: Json) -> tuple[str, dict[str, str]]:
    """Return the driver's name and its options."""
    config = host_config.get("LogConfig") or {}
    assert isinstance(config, dict)
    options = config.get("Config") or {}
    assert isinstance(options, dict)
    return str(config.get("Type") or "json-file"), {str(name): str(value) for name, value in options.items()}


def check(host_config: Json) -> None:
    """Raise InvalidParameter with docker's words for a driver or an option that there is not."""
    driver, options = config_of(host_config)
    if driver in OTHER_DRIVERS:
        raise InvalidParameter(
            f"HyperBox does not log to {driver}: it has the logging drivers json-file, local, syslog, journald, gelf, fluentd, splunk and none"
        )
    if driver not in DRIVERS and driver not in FORWARDED:
        raise InvalidParameter(f'error looking up logging plugin {driver}: plugin "{driver}" not found')
    if driver == "none":
        return
    mode = options.get("mode", "blocking")
    if mode not in ("", "blocking", "non-blocking"):
        raise InvalidParameter(f"logger: logging mode not supported: {mode}")
    if "max-buffer-size" in options:
        if mode != "non-blocking":
            raise InvalidParameter("logger: max-buffer-size option is only supported with 'mode=non-blocking'")
        from hyperbox.go.units import parse_bytes

        try:
            parse_bytes(options["max-buffer-size"])
        except ValueError as error:
            raise InvalidParameter(f"error parsing option max-buffer-size: {error}") from None
    if driver in FORWARDED:
        from hyperbox.engine import log_drivers

        log_drivers.check(driver, options)
        return
    for name in options:
        if name in CACHE:
            continue
        if name not in DRIVERS[driver] | BUFFERING:
            words = f"for log driver {driver}" if driver == "local" else f"for {driver} log driver"
            raise InvalidParameter(f"unknown log opt '{name}' {words}")


def log_options(container: Container) -> LogOptions:
    """Return how a container logs. Raises EngineError with docker's words for a value that can't be."""
    driver, options = config_of(container.host_config)
    if driver == "none":
        return LogOptions(driver, 0, 1, False)
    forward, given = "", options
    if driver in FORWARDED:
        forward, driver = driver, "none" if is_unreadable(container.host_config) else "local"
        options = {name.removeprefix("cache-"): value for name, value in options.items() if name in CACHE}
    local = driver != "json-file"
    max_size = file_size(options["max-size"], local=local) if "max-size" in options else LOCAL_SIZE if local else 0
    count = file_count(options.get("max-file", "5" if local else "1"))
    try:
        compress = parsed(options, "compress", default=local)
    except ValueError as error:
        lead = "error reading compress log option: " if local else ""
        raise EngineError(f"{FAILED}{lead}{error}") from None
    if compress and local and count == 1:
        raise EngineError(f"{FAILED}compression cannot be enabled when max file count is 1")
    if compress and not local and (not max_size or count == 1):
        raise EngineError(f"{FAILED}compress cannot be true when max-file is less than 2 or max-size is not set")
    beside = attributes(container, options) if options and not forward else {}
    return LogOptions(driver, max_size, count, compress, beside, forward=forward, given=given)


def is_unreadable(host_config: Json) -> bool:
    """Return whether nothing of a container's output is kept here for `logs`."""
    driver, options = config_of(host_config)
    return driver == "none" or (driver in FORWARDED and parsed(options, "cache-disabled", default=False))


def parsed(options: dict[str, str], name: str, *, default: bool) -> bool:
    """Return an option that is a boolean. Raises ValueError with Go's words."""
    if name not in options:
        return default
    from hyperbox.go.text import parse_bool  # few containers have one

    return parse_bool(options[name])


def file_size(text: str, *, local: bool) -> int:
    """Return max-size in bytes. Raises EngineError."""
    from hyperbox.go.units import parse_decimal_bytes

    try:
        size = parse_decimal_bytes(text)
    except ValueError as error:
        lead = f"invalid value for max-size: {text}: " if local else ""
        raise EngineError(f"{FAILED}{lead}{error}") from None
    if size <= 0 and not local:
        raise EngineError(f"{FAILED}max-size must be a positive number")
    return max(size, 0)


def file_count(text: str) -> int:
    """Return max-file. Raises EngineError."""
    if not text.removeprefix("-").isdigit():
        from hyperbox.go.text import invalid_syntax

        raise EngineError(FAILED + invalid_syntax("Atoi", text))
    if int(text) < 1:
        raise EngineError(f"{FAILED}max-file cannot be less than 1")
    return int(text)


# --- attributes ---------------------------------------------------------------------------------------------------------------
def attributes(container: Container, options: dict[str, str]) -> dict[str, str]:
    """Return the labels, variables and tag that the options name, by name. Raises EngineError."""
    labels = container.config.get("Labels")
    environment = container.config.get("Env")
    variables = dict(str(item).partition("=")[::2] for item in (environment if isinstance(environment, list) else ()))
    found: dict[str, str] = {}
    for given, key in ((labels if isinstance(labels, dict) else {}, "labels"), (variables, "env")):
        names = [name for name in options.get(key, "").split(",") if name in given]
        pattern = options.get(f"{key}-regex", "")
        if pattern:
            names += matching(pattern, list(given))
        found.update({name: str(given[name]) for name in names})
    if options.get("tag"):
        found["tag"] = tag(container, options["tag"])
    return dict(sorted(found.items()))


def matching(pattern: str, names: list[str]) -> list[str]:
    """Return the names in which a regular expression is found. Raises EngineError."""
    import re

    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise EngineError(f"{FAILED}error parsing regexp: {error}: `{pattern}`") from None
    return [name for name in names if compiled.search(name)]


def tag(container: Container, template: str) -> str:
    """Return a tag with the container's own values for {{.Name}} and its kind. Raises EngineError for what there is not."""
    image = str(container.config.get("Image") or "")
    image_id = str(container.record["ImageID"])
    values = {
        ".ID": container.id[:12],
        ".FullID": container.id,
        ".Name": container.name,
        ".FullName": f"/{container.name}",
        ".ImageID": image_id.rpartition(":")[2][:12],
        ".ImageFullID": image_id,
        ".ImageName": image,
        ".ImageFullName": image,
        ".DaemonName": "docker",
    }
    text, opening, rest = template.partition("{{")
    while opening:
        field, closing, rest = rest.partition("}}")
        if not closing:
            raise EngineError(f"{FAILED}template: log-tag:1: unclosed action")
        field = field.strip()
        if field not in values:
            raise EngineError(
                f'{FAILED}template: log-tag:1:2: executing "log-tag" at <{field}>: '
                f"can't evaluate field {field.lstrip('.')} in type *logger.Info"
            )
        following, opening, rest = rest.partition("{{")
        text += values[field] + following
    return text
