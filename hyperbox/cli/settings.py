"""HyperBox's settings: one table of keys, and their values from TOML files and the environment.

Read in this order, a later one over an earlier: the table's defaults, the system's file (/etc/xdg/hyperbox/config.toml), the user's
(~/.config/hyperbox/config.toml; both where platformdirs has them), environment variables. HYPERBOX_CONFIG names one file to read in place of
both. A value that can't be is an error that names file, key and value. What is about one project alone is in its compose file (`x-hyperbox`)
or its record (`hyperbox project`), and has precedence over all of these.
Hot paths may come here: without a file nothing dear is imported.
"""

from __future__ import annotations

import os
import sys

from hyperbox.errors import HyperBoxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    Json = dict[str, object]

IO_LIMITS = ("rbps", "wbps", "riops", "wiops")
UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


class Key:
    """A setting. `kind` is string, choice, integer, number, boolean, size, network or io; `choices` words, or the least and the most."""

    __slots__ = ("choices", "default", "help", "kind", "name", "variable")

    def __init__(
        self, name: str, kind: str, default: object, variable: str, help: str, choices: tuple[object, ...] = ()
    ) -> None:
        self.name = name
        self.kind = kind
        self.default = default
        self.variable = variable
        self.help = help
        self.choices = choices


KEYS: tuple[Key, ...] = (
    Key(
        "ports.policy",
        "choice",
        "auto",
        "HYPERBOX_PORTS",
        "How projects get host ports: auto the port in the file while it is free, range always one of the lease, strict as docker does",
        ("auto", "range", "strict"),
    ),
    Key(
        "ports.first",
        "integer",
        10000,
        "HYPERBOX_PORTS_FIRST",
        "The first host port that is leased to projects",
        (1, 65535),
    ),
    Key(
        "ports.last",
        "integer",
        65535,
        "HYPERBOX_PORTS_LAST",
        "The last host port that is leased to projects",
        (1, 65535),
    ),
    Key(
        "ports.size",
        "integer",
        1000,
        "HYPERBOX_PORTS_SIZE",
        "How many ports a project leases at once; fewer when they run short",
        (5, 20000),
    ),
    Key(
        "networks.pool",
        "network",
        "10.89.0.0/16",
        "HYPERBOX_NETWORKS_POOL",
        "The addresses out of which networks get their subnets",
    ),
    Key("networks.size", "integer", 24, "HYPERBOX_NETWORKS_SIZE", "The prefix length of a network's subnet", (8, 29)),
    Key(
        "hosts.write",
        "boolean",
        True,
        "HYPERBOX_HOSTS",
        "Whether PROJECT.hyperbox and SERVICE.PROJECT.hyperbox are kept in the hosts file",
    ),
    Key("hosts.file", "string", "/etc/hosts", "HYPERBOX_HOSTS_FILE", "The hosts file"),
    Key(
        "budget.cpus", "number", None, "HYPERBOX_BUDGET_CPUS", "How many CPUs each project may use in all", (0.01, 4096)
    ),
    Key(
        "budget.memory",
        "size",
        None,
        "HYPERBOX_BUDGET_MEMORY",
        "How much memory each project may use in all, in bytes or as 512m, 2g",
    ),
    Key(
        "budget.memory_high",
        "size",
        None,
        "HYPERBOX_BUDGET_MEMORY_HIGH",
        "The memory above which a project is slowed down and its memory reclaimed",
    ),
    Key(
        "budget.pids",
        "integer",
        None,
        "HYPERBOX_BUDGET_PIDS",
        "How many processes and threads each project may have in all",
        (1, 4194304),
    ),
    Key(
        "budget.cpu_weight",
        "integer",
        None,
        "HYPERBOX_BUDGET_CPU_WEIGHT",
        "A project's share of the CPU when several want it; 100 is usual",
        (1, 10000),
    ),
    Key(
        "budget.io",
        "io",
        None,
        "",
        "What each project may read and write, by device: rbps and wbps in bytes, riops and wiops in operations, a second",
    ),
)
BUDGET = tuple(key.name.partition(".")[2] for key in KEYS if key.name.startswith("budget."))


class Source:
    """A setting's value and where it is from: "default", a file's path, or an environment variable's name."""

    __slots__ = ("origin", "value")

    def __init__(self, value: object, origin: str) -> None:
        self.value = value
        self.origin = origin


def paths(environment: Mapping[str, str]) -> list[str]:
    """Return the files that are read, whether they are there or not. On Linux these are platformdirs' paths, without its import's cost."""
    if given := environment.get("HYPERBOX_CONFIG"):
        return [given]
    if not sys.platform.startswith("linux"):
        import platformdirs

        folders = [platformdirs.site_config_dir("hyperbox"), platformdirs.user_config_dir("hyperbox")]
    else:
        system = (environment.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")[0]
        home = environment.get("HOME") or os.path.expanduser("~")
        user = environment.get("XDG_CONFIG_HOME", "").strip() or f"{home}/.config"
        folders = [f"{system}/hyperbox", f"{user}/hyperbox"]
    return [os.path.join(folder, "config.toml") for folder in folders]


def read(environment: Mapping[str, str] | None = None, instead: Mapping[str, str] | None = None) -> dict[str, Source]:
    """Return all settings with where they are from. Raises HyperBoxError naming file (or variable), key and value.

    `instead` has texts of files by path that are read in the place of what these hold.
    """
    given = os.environ if environment is None else environment
    found = {key.name: Source(key.default, "default") for key in KEYS}
    by_name = {key.name: key for key in KEYS}
    for path in paths(given):
        for name, value in read_file(path, (instead or {}).get(path)).items():
            if name not in by_name:
                raise HyperBoxError(f'{path}: unknown key "{name}"', hint="`hyperbox config keys` lists them")
            found[name] = Source(checked(by_name[name], value, f"{path}: {name}"), path)
    for key in KEYS:
        text = given.get(key.variable, "") if key.variable else ""
        if text:
            found[key.name] = Source(checked(key, from_text(key, text), key.variable), key.variable)
    first, last = found["ports.first"], found["ports.last"]
    assert isinstance(first.value, int)
    assert isinstance(last.value, int)
    pool, length = found["networks.pool"], found["networks.size"]
    if int(str(pool.value).partition("/")[2]) > int(str(length.value)):
        raise HyperBoxError(
            f"networks.size ({length.value}) is larger than networks.pool ({pool.value}): {length.origin}"
        )
    if first.value > last.value:
        raise HyperBoxError(f"ports.first ({first.value}) is above ports.last ({last.value})")
    return found


def values(environment: Mapping[str, str] | None = None) -> dict[str, object]:
    """Return all settings by key."""
    return {name: source.value for name, source in read(environment).items()}


def read_file(path: str, text: str | None = None) -> Json:
    """Return a file's settings (or what `text` says in its place) as "table.key" -> value; nothing where there is none. Raises HyperBoxError."""
    if text is None and not os.path.exists(path):
        return {}
    import tomllib

    try:
        if text is None:
            with open(path, "rb") as file:
                text = file.read().decode()
        document = tomllib.loads(text)
    except OSError as error:
        raise HyperBoxError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise HyperBoxError(f"{path}: {error}") from None
    found: Json = {}
    for table, content in document.items():
        if isinstance(content, dict):
            found.update({f"{table}.{key}": value for key, value in content.items()})
        else:
            found[table] = content
    return found


def from_text(key: Key, text: str) -> object:
    """Return what the text of an environment variable (or of `config set`) means for a key, still unchecked."""
    if key.kind == "boolean":
        return {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}.get(
            text.lower(), text
        )  # fmt: skip
    if key.kind in ("integer", "number"):
        try:
            return int(text) if key.kind == "integer" else float(text)
        except ValueError:
            return text
    return text


def checked(key: Key, value: object, where: str) -> object:
    """Return a value in the form in which it is used. Raises HyperBoxError with `where` in front."""
    wrong = ""
    if key.kind == "choice" and value not in key.choices:
        wrong = f"one of {', '.join(map(str, key.choices))}"
    elif key.kind in ("integer", "number"):
        low, high = key.choices
        fits = isinstance(value, int if key.kind == "integer" else (int, float)) and not isinstance(value, bool)
        if not fits or not low <= value <= high:  # type: ignore[operator]
            wrong = f"{'a whole number' if key.kind == 'integer' else 'a number'} from {low} to {high}"
    elif key.kind == "boolean" and not isinstance(value, bool):
        wrong = "true or false"
    elif key.kind == "string" and not (isinstance(value, str) and value):
        wrong = "a text"
    elif key.kind == "size":
        return size(value, where)
    elif key.kind == "network":
        return network(value, where)
    elif key.kind == "io":
        return io_limits(value, where)
    if wrong:
        raise HyperBoxError(f"{where}: {shown(value)} is not {wrong}")
    return value


def shown(value: object) -> str:
    """Return a value as it is written in TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{key}" = {shown(each)}' for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(shown, value)) + "]"
    if isinstance(value, str):
        quoted = value.replace("\\", "\\\\").replace('"', '\\"')
        return '"' + "".join(f"\\u{ord(each):04x}" if each < " " or each == "\x7f" else each for each in quoted) + '"'
    return str(value)


def size(value: object, where: str) -> int:
    """Return a size in bytes: a whole number, or a text with a unit (k, m, g, t: powers of 1024). Raises HyperBoxError."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    text = str(value).strip().lower() if isinstance(value, str) else ""
    digits = text.rstrip("bkmgt")
    unit = UNITS.get(text[len(digits) :].removesuffix("b"))
    try:
        number = float(digits)
    except ValueError:
        number = 0
    if unit is None or not 0 < number < 1 << 50:
        raise HyperBoxError(f"{where}: {shown(value)} is not a size: bytes, or a number with k, m, g or t")
    return int(number * unit)


def network(value: object, where: str) -> str:
    """Return an IPv4 network as ADDRESS/LENGTH. Raises HyperBoxError."""
    import ipaddress

    try:
        if not isinstance(value, str) or "/" not in value:
            raise ValueError
        return str(ipaddress.IPv4Network(value))
    except ValueError:
        raise HyperBoxError(f"{where}: {shown(value)} is not an IPv4 network such as 10.89.0.0/16") from None


def io_limits(value: object, where: str) -> dict[str, dict[str, int]]:
    """Return limits by device: {"/dev/sda" or "8:0": {"rbps": bytes, …}}. Raises HyperBoxError."""
    if not isinstance(value, dict) or not all(isinstance(limits, dict) for limits in value.values()):
        raise HyperBoxError(f"{where}: {shown(value)} is not a table of devices")
    found: dict[str, dict[str, int]] = {}
    for device, limits in value.items():
        parts = device.split(":")
        if not device.startswith("/dev/") and not (len(parts) == 2 and all(part.isdigit() for part in parts)):
            raise HyperBoxError(f'{where}: "{device}" is not a device: /dev/NAME or MAJOR:MINOR')
        for name, limit in limits.items():
            if name not in IO_LIMITS:
                raise HyperBoxError(f'{where}."{device}": unknown key "{name}": {", ".join(IO_LIMITS)}')
            found.setdefault(device, {})[name] = size(limit, f'{where}."{device}".{name}')
    return found


def budget(value: Mapping[str, object], where: str) -> Json:
    """Return a budget checked: the keys of BUDGET; other keys are an error. Raises HyperBoxError."""
    known = {key.name.partition(".")[2]: key for key in KEYS if key.name.startswith("budget.")}
    found: Json = {}
    for name, each in value.items():
        if name not in known:
            raise HyperBoxError(f'{where}: unknown key "{name}": {", ".join(known)}')
        key = known[name]
        number = from_text(key, each) if isinstance(each, str) else each
        found[name] = checked(key, number, f"{where}.{name}")
    return found
