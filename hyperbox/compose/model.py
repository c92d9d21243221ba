"""What the compose room takes and gives: LoadOptions in, Project out. Plain data only; what fills them is in `load` and its phases.

The canonical form of a service is the one that `docker compose config --format json` shows, key by key in the order of that output:

* absent means not given (or its zero value, where the specification knows no difference); `command` and `entrypoint` are absent or a list
* sizes (`mem_limit`, `shm_size`, `memory`, tmpfs `size` …) are decimal strings of bytes: "52428800"
* durations (`stop_grace_period`, `interval`, `delay` …) are Go's: "1m30s"; `hyperbox.compose.quantities.parse_duration` gives nanoseconds
* `environment` {name: str | None}; None: named without a value that could be found; env files are already in it
* `labels`, `sysctls`, `annotations`, `build.args` … {name: str}
* `ports` [{"mode", "host_ip"?, "target": int, "published"?: str, "protocol"}], one entry for each container port;
  "published" may be a range "8000-8010"
* `volumes` [{"type", "source"?, "target", "read_only"?, "bind"?, "volume"?, "tmpfs"?, "image"?}], bind sources absolute
* `networks` {name: None | {"aliases", "ipv4_address" …}}; the implicit "default" is there
* `depends_on` {service: {"condition", "restart"?, "required"}}, links, volumes_from and `service:` namespaces included
* `secrets`, `configs` [{"source", "target"?, "uid"?, "gid"?, "mode"? as "0440"}]
* `extra_hosts` ["name=address"], sorted; `ulimits` {name: int | {"soft", "hard"}}; `deploy.replicas` and `scale` int
* `healthcheck` {"test": ["CMD" | "CMD-SHELL" | "NONE", …], "timeout", "interval", "retries": int, "start_period", "start_interval",
  "disable"?}
* `x-…` keys of a level are in {"#extensions": {"x-…": …}} of that level; those of the top level are in Project.extensions

Top-level networks, volumes, configs and secrets each have "name" (the real one: PROJECT_KEY, or as given). A secret or config that
comes from the environment has its value in `content`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

Json = dict[str, object]

EXTENSIONS = "#extensions"


def ignore_warning(_: str) -> None:
    """Drop a warning."""


class LoadOptions(NamedTuple):
    """What to load and how. `working_dir` (absolute) and `environment` are the process's own; nothing here reads them itself.

    files              as given by -f, "-" for `stdin`; empty: COMPOSE_FILE, then discovery upwards
    project_name       as given by -p, or ""
    project_directory  as given by --project-directory, or ""
    env_files          as given by --env-file; empty: .env
    profiles           as given by --profile; empty: COMPOSE_PROFILES
    services           restrict the project to these and what they depend on (they are enabled whatever their profiles)
    enabled            services that are enabled whatever their profiles, beside all others
    warn               called with each warning's text, without "time=… level=warning"
    own_variables      (project's name, its folder, names that the files mention) -> variables of the project itself, above all others
    """

    files: tuple[str, ...] = ()
    project_name: str = ""
    project_directory: str = ""
    env_files: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    working_dir: str = "/"
    environment: Mapping[str, str] = {}
    stdin: bytes | str = ""
    services: tuple[str, ...] = ()
    enabled: tuple[str, ...] = ()
    interpolate: bool = True
    resolve_paths: bool = True
    normalize: bool = True
    check_consistency: bool = True
    resolve_environment: bool = True
    all_resources: bool = False
    warn: Callable[[str], None] = ignore_warning
    own_variables: Callable[[str, str, Collection[str]], Mapping[str, str]] | None = None


class Project(NamedTuple):
    """A loaded project; see the module's docstring for the forms.

    services           those that are enabled by profiles and selection
    disabled_services  the others
    environment        the variables that interpolation saw: the process's, .env files', COMPOSE_PROJECT_NAME
    compose_files      absolute paths (or "-"), in the order of merging
    env_files          absolute paths of those given by --env-file or COMPOSE_ENV_FILES
    uses_own           whether a file names one of the variables that `LoadOptions.own_variables` gives
    """

    name: str
    working_dir: str
    services: dict[str, Json]
    networks: dict[str, Json]
    volumes: dict[str, Json]
    secrets: dict[str, Json]
    configs: dict[str, Json]
    models: dict[str, Json]
    extensions: Json
    disabled_services: dict[str, Json]
    compose_files: tuple[str, ...]
    environment: dict[str, str]
    profiles: tuple[str, ...]
    uses_own: bool = False
    env_files: tuple[str, ...] = ()
