"""The services and profiles of the compose files at hand, for completion; not a hot path: it reads the files."""

from __future__ import annotations

import os

from hyperbox.compose.load import load
from hyperbox.compose.model import LoadOptions


def service_and_profile_names(given: dict[str, object]) -> tuple[list[str], list[str]]:
    """Return the names of all services and of all profiles, sorted. `given` holds compose's own flags.

    Raises ComposeError or OSError where the files can't be read.
    """

    def texts(name: str) -> tuple[str, ...]:
        value = given.get(name)
        return tuple(str(item) for item in value) if isinstance(value, list) else ()

    project = load(
        LoadOptions(
            files=tuple(name for name in texts("file") if name != "-"),
            project_name=str(given.get("project-name") or ""),
            project_directory=str(given.get("project-directory") or ""),
            env_files=texts("env-file"),
            profiles=("*",),
            working_dir=os.getcwd(),
            environment=dict(os.environ),
            check_consistency=False,
            resolve_environment=False,
        )
    )
    profiles: set[str] = set()
    for service in project.services.values():
        found = service.get("profiles")
        if isinstance(found, list):
            profiles.update(str(name) for name in found)
    return sorted([*project.services, *project.disabled_services]), sorted(profiles)
