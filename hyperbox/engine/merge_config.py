"""What the image says and what the user says, made one configuration as the Docker Engine does; and its checks. Pure."""

from __future__ import annotations

from os.path import normpath

from hyperbox.engine import log_options
from hyperbox.errors import InvalidParameter
from hyperbox.kernel.signals import signal_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    Json = dict[str, object]

NAME_FIRST = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
NAME_REST = NAME_FIRST | frozenset("_.-")
POLICIES = ("no", "always", "on-failure", "unless-stopped")
SMALLEST_MEMORY = 6 << 20
SHORTEST_PROBE = 1_000_000  # nanoseconds


def check_name(name: str) -> None:
    """Raise InvalidParameter for a name that docker would not take."""
    if len(name) < 2 or name[0] not in NAME_FIRST or not NAME_REST.issuperset(name):
        raise InvalidParameter(f"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")


def object_at(value: Json, key: str) -> Json:
    """Return the object at `key`; {} for null or nothing."""
    found = value.get(key)
    return found if isinstance(found, dict) else {}


def list_at(value: Json, key: str) -> list[object]:
    """Return the list at `key`; [] for null or nothing."""
    found = value.get(key)
    return found if isinstance(found, list) else []


def merged_config(user: Json, image: Json, container_id: str) -> Json:
    """Return the ContainerConfig of a container from what the user gave and the image's own. Raises InvalidParameter."""
    config = {**user}
    if config.get("WorkingDir"):
        config["WorkingDir"] = normpath("/" + str(config["WorkingDir"]).lstrip("/"))
    config.setdefault("Hostname", "")
    if not config["Hostname"]:
        config["Hostname"] = container_id[:12]
    for key in ("User", "WorkingDir", "StopSignal"):
        if not config.get(key) and image.get(key):
            config[key] = image[key]
    for key in ("ExposedPorts", "Volumes", "Labels"):
        if image.get(key):
            config[key] = {**object_at(image, key), **object_at(config, key)}
    environment = merged_environment(list_at(config, "Env"), list_at(image, "Env"))
    config["Env"] = environment or image.get("Env")
    merge_command(config, image)
    health = merged_health(config.get("Healthcheck"), image.get("Healthcheck"))
    if health is not None:
        config["Healthcheck"] = health
    return config


def merged_environment(user: list[object], image: list[object]) -> list[str]:
    """The user's variables, then the image's that the user did not give.

    A name without a value stays: docker shows it, and `spec.environment` takes it away.
    """
    given = [str(item) for item in user]
    names = {item.partition("=")[0] for item in given}
    return given + [str(item) for item in image if str(item).partition("=")[0] not in names]


def merge_command(config: Json, image: Json) -> None:
    """Settle Entrypoint and Cmd in `config`: an entrypoint of the user's drops the image's command. Raises InvalidParameter."""
    entrypoint, command = list_at(config, "Entrypoint"), list_at(config, "Cmd")
    if not entrypoint:
        if not command:
            command = list_at(image, "Cmd")
        if config.get("Entrypoint") is None:
            entrypoint = list_at(image, "Entrypoint")
    if entrypoint == [""]:
        entrypoint = []
    config["Entrypoint"] = entrypoint or ([] if config.get("Entrypoint") == [] else None)
    config["Cmd"] = command or ([] if config.get("Cmd") == [] else None)
    if not entrypoint and not command:
        raise InvalidParameter("no command specified")


def merged_health(user: object, image: object) -> Json | None:
    """Return the health check: the user's fields, the image's for what the user left out. Raises InvalidParameter."""
    if not isinstance(user, dict):
        return image if isinstance(image, dict) and image.get("Test") else None
    result = {**image, **{key: value for key, value in user.items() if value}} if isinstance(image, dict) else {**user}
    check_health(result)
    return result if result.get("Test") else None


def check_health(result: Json) -> None:
    """Raise InvalidParameter for a health check that docker refuses."""
    for key in ("Interval", "Timeout", "StartPeriod", "StartInterval"):
        value = result.get(key) or 0
        assert isinstance(value, (int, float))
        if value and value < SHORTEST_PROBE:
            raise InvalidParameter(f"{key} in Healthcheck cannot be less than 1ms")
    retries = result.get("Retries") or 0
    assert isinstance(retries, int)
    if retries < 0:
        raise InvalidParameter("Retries in Healthcheck cannot be negative")
    test = result.get("Test")
    if isinstance(test, list) and test and test[0] not in ("NONE", "CMD", "CMD-SHELL"):
        raise InvalidParameter(f"Unknown type '{test[0]}' in HEALTHCHECK (try CMD)")


def check_first(config: Json, host_config: Json) -> None:
    """Raise InvalidParameter for what docker refuses before it asks what the container is to run."""
    directory = str(config.get("WorkingDir") or "")
    if directory and not directory.startswith("/"):
        raise InvalidParameter(f"the working directory '{directory}' is invalid, it needs to be an absolute path")
    if config.get("StopSignal"):
        signal_number(str(config["StopSignal"]))
    check_health(object_at(config, "Healthcheck"))
    check_policy(object_at(host_config, "RestartPolicy"), bool(host_config.get("AutoRemove")))
    check_memory(host_config)


def check(config: Json, host_config: Json, name: str = "") -> None:
    """Raise InvalidParameter with docker's words for what it refuses when it creates a container."""
    check_first(config, host_config)
    if host_config.get("LogConfig"):
        log_options.check(host_config)
    if name:
        check_name(name)


def check_memory(host_config: Json, *, update: bool = False) -> None:
    """Raise InvalidParameter for limits of memory and swap that docker refuses, in a new container's or in an update's."""
    memory = host_config.get("Memory") or 0
    swap = host_config.get("MemorySwap") or 0
    assert isinstance(memory, int)
    assert isinstance(swap, int)
    if memory and memory < SMALLEST_MEMORY:
        raise InvalidParameter("Minimum memory limit allowed is 6MB")
    if swap > 0 and not memory and not update:
        raise InvalidParameter("You should always set the Memory limit when using Memoryswap limit, see usage")
    if memory > 0 and 0 < swap < memory:
        raise InvalidParameter("Minimum memoryswap limit should be larger than memory limit, see usage")


def check_policy(policy: Json, auto_remove: bool) -> None:
    """Raise InvalidParameter for a restart policy that docker refuses."""
    name = str(policy.get("Name") or "no")
    count = policy.get("MaximumRetryCount") or 0
    assert isinstance(count, int)
    if name not in POLICIES:
        raise InvalidParameter(
            f"invalid restart policy: unknown policy '{name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'"
        )
    if count and name != "on-failure":
        raise InvalidParameter("invalid restart policy: maximum retry count can only be used with 'on-failure'")
    if count < 0:
        raise InvalidParameter("invalid restart policy: maximum retry count cannot be negative")
    if auto_remove and name != "no":
        raise InvalidParameter("can't create 'AutoRemove' container with restart policy")
