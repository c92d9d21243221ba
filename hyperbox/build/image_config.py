"""An image's configuration while its stage is built: what each instruction does to it, and the history that docker writes.

See the OCI image specification's config.md; the spelling of history entries is BuildKit's. Pure.
"""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    Json = dict[str, object]

COMMENT = "buildkit.dockerfile.v0"
DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
DEFAULT_SHELL = ("/bin/sh", "-c")
KEYS = (
    "User",
    "ExposedPorts",
    "Env",
    "Entrypoint",
    "Cmd",
    "Volumes",
    "WorkingDir",
    "Labels",
    "StopSignal",
    "ArgsEscaped",
    "Healthcheck",
    "OnBuild",
    "Shell",
)


def timestamp(seconds: int, nanoseconds: int = 0) -> str:
    """Return a time as image configurations write it (RFC 3339, UTC)."""
    text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{text}.{nanoseconds:09d}Z" if nanoseconds else f"{text}Z"


class Draft:
    """The configuration of one stage so far. `command_set` tells whether CMD was given in this stage (ENTRYPOINT forgets an inherited one)."""

    __slots__ = ("architecture", "author", "command_set", "config", "history", "os", "variant")

    def __init__(self, document: Json | None, platform: tuple[str, str, str]) -> None:
        base = document or {}
        config, history = base.get("config"), base.get("history")
        self.os, self.architecture, self.variant = platform
        if base.get("architecture"):
            self.os = str(base.get("os") or self.os)
            self.architecture, self.variant = str(base["architecture"]), str(base.get("variant") or "")
        self.author = str(base.get("author") or "")
        known = {key: config[key] for key in KEYS if config.get(key)} if isinstance(config, dict) else {}
        self.config: Json = known
        self.history: list[Json] = [dict(step) for step in history] if isinstance(history, list) else []
        self.command_set = False

    def copy(self) -> Draft:
        """Return one of the same content for a stage that begins where this one ends."""
        other = Draft(None, (self.os, self.architecture, self.variant))
        other.author = self.author
        other.config = {key: _copied(value) for key, value in self.config.items()}
        other.history = [dict(step) for step in self.history]
        return other

    def record(self, created_by: str, *, layer: bool = False, created: str = "") -> None:
        """Add a history entry; its time is filled in at the end where it is not given."""
        entry: Json = {"created": created} if created else {}
        entry["created_by"], entry["comment"] = created_by, COMMENT
        if not layer:
            entry["empty_layer"] = True
        self.history.append(entry)

    @property
    def environment(self) -> list[tuple[str, str]]:
        """The variables of the image, in order."""
        pairs = [str(entry).partition("=") for entry in _list(self.config.get("Env"))]
        return [(name, value) for name, _, value in pairs]

    def set_variable(self, name: str, value: str) -> None:
        """ENV: a name that is there is replaced in its place."""
        entries = [str(entry) for entry in _list(self.config.get("Env"))]
        for index, entry in enumerate(entries):
            if entry.partition("=")[0] == name:
                entries[index] = f"{name}={value}"
                break
        else:
            entries.append(f"{name}={value}")
        self.config["Env"] = entries

    @property
    def shell(self) -> tuple[str, ...]:
        """The words before a shell line."""
        return tuple(map(str, _list(self.config.get("Shell")))) or DEFAULT_SHELL

    def label(self, pairs: Sequence[tuple[str, str]]) -> None:
        """LABEL."""
        self.config["Labels"] = {**_dict(self.config.get("Labels")), **dict(pairs)}

    def add_names(self, key: str, names: Sequence[str]) -> None:
        """EXPOSE, VOLUME: names become keys of empty objects, in the order of their names."""
        present = {**_dict(self.config.get(key)), **{name: {} for name in names}}
        self.config[key] = {name: present[name] for name in sorted(present)}

    def set_command(self, words: Sequence[str]) -> None:
        """CMD."""
        self.config["Cmd"] = list(words)
        self.config["ArgsEscaped"] = True
        self.command_set = True

    def set_entrypoint(self, words: Sequence[str]) -> None:
        """ENTRYPOINT: a CMD that came from the base image means nothing to it."""
        self.config["Entrypoint"] = list(words)
        if not self.command_set:
            self.config.pop("Cmd", None)

    def document(self, layers: Sequence[tuple[str, str]], epoch: int | None) -> Json:
        """Return the whole configuration over these (diff id, time of making) layers, bottom first."""
        history = _with_times(self.history, [created for _, created in layers])
        created = next((str(step["created"]) for step in reversed(history) if step.get("created")), "")
        if epoch is not None:
            created = timestamp(epoch)
        result: Json = {"architecture": self.architecture}
        if self.author:
            result["author"] = self.author
        result["config"] = {key: self.config[key] for key in KEYS if key in self.config}
        if created:
            result["created"] = created
        result["history"] = history
        result["os"] = self.os
        result["rootfs"] = {"type": "layers", "diff_ids": [diff_id for diff_id, _ in layers]}
        if self.variant:
            result["variant"] = self.variant
        return result


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _dict(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _copied(value: object) -> object:
    return list(value) if isinstance(value, list) else dict(value) if isinstance(value, dict) else value


def _with_times(history: list[Json], layer_times: list[str]) -> list[Json]:
    """Fill in the times: a layer's is its own; an entry without a layer has that of the layer before it, or of the first new one."""
    result = [dict(step) for step in history]
    layered = [step for step in result if not step.get("empty_layer")]
    if len(layered) == len(layer_times):
        for step, created in zip(layered, layer_times, strict=True):
            if not step.get("created") and created:
                step["created"] = created
    fallback, missing = "", False
    for step in result:
        if step.get("created"):
            fallback = str(step["created"])
            if missing:
                break
        else:
            missing = True
    missing, last = False, fallback
    for index, step in enumerate(result):
        if step.get("created"):
            if missing:
                last = str(step["created"])
        else:
            missing = True
            if last:
                result[index] = {"created": last, **step}
    return [
        {key: step[key] for key in ("created", *[key for key in step if key != "created"]) if key in step}
        for step in result
    ]
