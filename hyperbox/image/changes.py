"""`--change`: Dockerfile instructions applied to an image's configuration, for import and commit."""

from __future__ import annotations

from hyperbox import files
from hyperbox.errors import InvalidParameter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Json = dict[str, object]


def words(text: str) -> list[str] | None:
    """Return the words of a JSON list, or None where `text` is not one."""
    if not text.startswith("["):
        return None
    try:
        value = files.loads(text)
    except ValueError:
        return None
    return [str(word) for word in value] if isinstance(value, list) else None


def _command(config: Json, key: str, text: str) -> None:
    config[key] = words(text) or ["/bin/sh", "-c", text]


def _pairs(text: str) -> list[tuple[str, str]]:
    import shlex

    if "=" not in text.split(None, 1)[0]:
        name, _, value = text.partition(" ")
        return [(name, value.strip())]
    return [(word.partition("=")[0], word.partition("=")[2]) for word in shlex.split(text)]


def _env(config: Json, text: str) -> None:
    env = list(config.get("Env") or [])  # type: ignore[call-overload]
    for name, value in _pairs(text):
        env = [item for item in env if not item.startswith(f"{name}=")]
        env.append(f"{name}={value}")
    config["Env"] = env


def _label(config: Json, text: str) -> None:
    config["Labels"] = {**(config.get("Labels") or {}), **dict(_pairs(text))}  # type: ignore[dict-item]


def _set(config: Json, key: str, names: Sequence[str]) -> None:
    config[key] = {**(config.get(key) or {}), **{name: {} for name in names}}  # type: ignore[dict-item]


def _expose(config: Json, text: str) -> None:
    _set(config, "ExposedPorts", [port if "/" in port else f"{port}/tcp" for port in text.split()])


def _healthcheck(config: Json, text: str) -> None:
    kind, _, rest = text.partition(" ")
    if kind.upper() == "NONE":
        config["Healthcheck"] = {"Test": ["NONE"]}
        return
    command = words(rest.strip())
    config["Healthcheck"] = {"Test": ["CMD", *command] if command else ["CMD-SHELL", rest.strip()]}


def _onbuild(config: Json, text: str) -> None:
    config["OnBuild"] = [*(config.get("OnBuild") or []), text]  # type: ignore[misc]


CHANGES: dict[str, Callable[[Json, str], None]] = {
    "CMD": lambda config, text: _command(config, "Cmd", text),
    "ENTRYPOINT": lambda config, text: _command(config, "Entrypoint", text),
    "ENV": _env,
    "LABEL": _label,
    "EXPOSE": _expose,
    "VOLUME": lambda config, text: _set(config, "Volumes", words(text) or text.split()),
    "USER": lambda config, text: config.__setitem__("User", text),
    "WORKDIR": lambda config, text: config.__setitem__("WorkingDir", text),
    "STOPSIGNAL": lambda config, text: config.__setitem__("StopSignal", text),
    "HEALTHCHECK": _healthcheck,
    "ONBUILD": _onbuild,
}


def apply_changes(config: Json, changes: Sequence[str]) -> Json:
    """Return `config` with the instructions applied. Raises InvalidParameter naming the one that is not possible here."""
    changed = dict(config)
    for change in changes:
        name, _, rest = change.strip().partition(" ")
        if not name:
            raise InvalidParameter("file with no instructions")
        apply = CHANGES.get(name.upper())
        if apply is None:
            raise InvalidParameter(f"{name} is not a valid change command")
        if not rest.strip():
            raise InvalidParameter(f"{name.upper()} requires at least one argument")
        apply(changed, rest.strip())
    return changed
