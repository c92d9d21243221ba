"""The format of the golden plans (README.md), and how a case becomes a plan."""

from __future__ import annotations

import re
import shlex
import tempfile
from pathlib import Path
from typing import NamedTuple

from hyperbox.compose.load import load
from hyperbox.compose.model import LoadOptions
from hyperbox.errors import ComposeError
from hyperbox.plan.observe import Observed, ObservedContainer, is_temporary
from hyperbox.plan.operations import Plan
from hyperbox.plan.reconcile import UpOptions, reconcile_up
from hyperbox.plan.removal import DownOptions, reconcile_down
from hyperbox.plan.states import reconcile_states
from hyperbox.project.desired import Desired, hash_of_container, project_to_desired

FOLDER = Path(__file__).resolve().parent


class Case(NamedTuple):
    """A case: its name and sentence, the file, what is there, the command and the plan."""

    title: str
    wanted: str
    there: tuple[str, ...]
    command: str
    plan: str

    @property
    def name(self) -> str:
        """The word before the colon."""
        return self.title.partition(":")[0]

    def text(self) -> str:
        """Return the case as its file has it."""
        there = "".join(f"{line}\n" for line in self.there)
        return f"=== {self.title}\n{self.wanted}---\n{there}$ {self.command}\n{self.plan}"


def topics() -> list[str]:
    """Return the names of the files of cases."""
    return sorted(path.stem for path in FOLDER.glob("*.plans"))


def read_cases(topic: str) -> list[Case]:
    """Return the cases of a topic."""
    parts = re.split(r"^=== ", (FOLDER / f"{topic}.plans").read_text(), flags=re.MULTILINE)
    return [_parse(part) for part in parts[1:]]


def _parse(text: str) -> Case:
    title, _, rest = text.partition("\n")
    wanted, _, rest = rest.partition("---\n")
    there, _, rest = rest.partition("$ ")
    command, _, plan = rest.partition("\n")
    return Case(title, wanted, tuple(there.splitlines()), command, plan)


def plan_of(case: Case) -> str:
    """Return the plan that a case leads to, or its refusal as "! MESSAGE"."""
    verb, *words = shlex.split(case.command)
    flags = {word.partition("=")[0] for word in words if word.startswith("--")}
    values = [word.partition("=")[2] for word in words if word.startswith("--scale=")]
    scale = {name: int(count) for name, _, count in (value.partition("=") for value in values)}
    images = dict(word.removeprefix("--image=").split("=") for word in words if word.startswith("--image="))
    volumes = frozenset(word.removeprefix("--yes=") for word in words if word.startswith("--yes="))
    services = tuple(word for word in words if not word.startswith("--"))
    try:
        desired = _desired(case.wanted, scale)
        observed = _observed(desired, case.there)
        return _plan(verb, desired, observed, services, flags, images, volumes).text()
    except ComposeError as error:
        return f"! {error.message}\n"


def _desired(wanted: str, scale: dict[str, int]) -> Desired:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "compose.yaml").write_text(f"name: p\n{wanted}")
        options = LoadOptions(working_dir=folder, environment={}, warn=lambda text: None)
        return project_to_desired(load(options), "p", scale)


def _observed(desired: Desired, there: tuple[str, ...]) -> Observed:
    containers, networks, volumes = [], {}, {}
    for line in there:
        kind, *words = line.split()
        if kind == "container":
            containers.append(_container(desired, words, len(containers) + 1))
            continue
        wishes = desired.networks if kind == "network" else desired.volumes
        wish = wishes.get(words[0])
        name = wish.name if wish else f"p_{words[0]}"
        held = "old" if "stale" in words or wish is None else wish.config_hash
        (networks if kind == "network" else volumes)[name] = held
    # what shares with a container that is not there any more was made with it
    ids = dict.fromkeys(desired.services, "gone") | Observed(tuple(containers), {}, {}).container_ids()
    hashes = {name: hash_of_container(wish, ids) for name, wish in desired.services.items()}
    containers = [
        row if row.config_hash == "old" else row._replace(config_hash=hashes[row.service]) for row in containers
    ]
    return Observed(tuple(containers), networks, volumes)


def _container(desired: Desired, words: list[str], number: int) -> ObservedContainer:
    service, ordinal, state, *marks = words
    values = dict(mark.split("=", 1) for mark in marks if "=" in mark)
    one_off = "oneoff" in marks
    wish = desired.services.get(service)
    name = values.get("name") or (f"p-{service}-run-{ordinal}" if one_off else f"p-{service}-{ordinal}")
    on = tuple(f"p_{key}" for key in values.get("on", "default").split(","))
    return ObservedContainer(
        container_id=f"{number:012x}",
        name=name,
        service=service,
        ordinal=0 if one_off else int(ordinal),
        state=state,
        config_hash="old" if "stale" in marks or wish is None else wish.config_hash,
        image_id=values.get("image", ""),
        one_off=one_off,
        replaces=f"p-{service}-{ordinal}" if is_temporary(name) else "",
        created=0,
        networks=on,
        volumes=tuple(f"p_{key}" for key in values.get("uses", "").split(",") if key),
        summary={},
    )


def _plan(
    verb: str,
    desired: Desired,
    observed: Observed,
    services: tuple[str, ...],
    flags: set[str],
    images: dict[str, str],
    volumes: frozenset[str],
) -> Plan:
    if verb == "down":
        return reconcile_down(
            desired, observed, DownOptions(services, "--volumes" in flags, "--remove-orphans" in flags)
        )
    if verb in ("stop", "start", "restart"):
        return reconcile_states(desired, observed, services, verb, None, no_deps="--no-deps" in flags)
    never = "never" if "--no-recreate" in flags else "diverged"
    options = UpOptions(
        services=services,
        no_deps="--no-deps" in flags,
        recreate="force" if "--force-recreate" in flags else never,
        recreate_dependencies="force" if "--always-recreate-deps" in flags else never,
        start=verb == "up",
        renew_volumes="--renew-anon-volumes" in flags,
        remove_orphans="--remove-orphans" in flags,
        image_ids=images,
        volumes=volumes,
    )
    return reconcile_up(desired, observed, options)
