"""`docker compose run`: a container of a service that is made for a single command, with what the service needs."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from hyperbox.cli.attached import check_terminal
from hyperbox.cli.compose_progress import step_progress
from hyperbox.cli.compose_project import session, warner
from hyperbox.cli.compose_up import PULL
from hyperbox.compose.paths import is_windows_absolute
from hyperbox.compose.ports import parse_ports
from hyperbox.compose.volumes import parse_volume
from hyperbox.errors import ComposeError, EngineError, NotFound
from hyperbox.grammar.values import words_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from hyperbox.cli.compose_progress import StepProgress
    from hyperbox.cli.compose_project import Session
    from hyperbox.compose.model import Json
    from hyperbox.engine.api import ContainerSpec
    from hyperbox.grammar.parse import Invocation
    from hyperbox.project.desired import ServiceWish
    from hyperbox.project.desired_mounts import FileWish
    from hyperbox.project.desired_spec import RealPort


def run(invocation: Invocation) -> int:
    """docker compose run SERVICE [COMMAND…]"""
    service, *words = invocation.arguments
    check_run_flags(invocation)
    found = session(invocation, services=[service])
    wish = found.desired.services.get(service)
    if wish is None:
        raise ComposeError(f"no such service: {service}")
    definition = changed_service(found, wish.definition, words)
    image_ids = prepare(found, service)
    tty = has_tty(invocation)
    check_terminal(interactive=bool(invocation.flags["interactive"]), tty=tty)
    spec, files = one_off(found, wish, definition, image_ids, tty=tty)
    from hyperbox.cli.compose_up import preparer, settle
    from hyperbox.plan.making import create
    from hyperbox.plan.operations import Prepared
    from hyperbox.project.desired_mounts import ignored_owners
    from hyperbox.project.desired_spec import named_twice

    engine = found.engine
    if invocation.globals.get("dry-run"):
        sys.stdout.write(f"{spec.name}\n")
        return 0
    settle(found, spec)
    prepared = Prepared(spec, tuple(files), (*ignored_owners(found.desired, wish), *named_twice(wish)))
    container_id = create(preparer(found, image_ids, progress=None), prepared).container_id
    if invocation.flags["detach"]:
        try:
            engine.container_start(container_id)
        except EngineError as error:
            sys.stderr.write(f"{error.told}\n")
            raise ComposeError(f"Error: failed to start containers: {container_id}") from None
        sys.stdout.write(f"{container_id}\n")
        return 0
    return _foreground(found, container_id, spec)


def check_run_flags(invocation: Invocation) -> None:
    """Raise ComposeError for flags that don't go together, with docker compose's words."""
    flags, given = invocation.flags, invocation.given
    if flags["service-ports"] and flags["publish"]:
        raise ComposeError("--service-ports and --publish are incompatible")
    if "tty" in given and "no-TTY" in given:
        raise ComposeError("--tty and --no-TTY can't be used together")
    if "pull" in given and str(flags["pull"]) not in PULL:
        raise ComposeError(f'invalid --pull option "{flags["pull"]}"')


def _foreground(found: Session, container_id: str, spec: ContainerSpec) -> int:
    from hyperbox.cli.attached import COMPOSE, DIES, IGNORES, stay_attached
    from hyperbox.engine.attach import StreamAttachment

    engine = found.engine
    tty, stdin = bool(spec.config.get("Tty")), bool(spec.config.get("OpenStdin"))
    attachment = engine.container_attach(container_id, stdin=stdin, stdout=True, stderr=True)
    assert isinstance(attachment, StreamAttachment)
    try:
        engine.container_start(container_id)
    except EngineError as error:
        if spec.host_config.get("AutoRemove"):
            with suppress(NotFound):
                engine.container_remove(container_id, force=True, volumes=True)
        raise EngineError(error.message, hint=error.hint, exit_code=1) from None

    def forward(signal: str) -> None:
        try:
            engine.container_kill(container_id, signal)
        except EngineError:
            return

    # where stdout is no terminal, docker has its plugin end at once, and leaves the container as it is
    plugin = found.invocation.program != "docker-compose" and not os.isatty(1)
    proxy = None if tty or plugin else forward
    interrupted = DIES if tty else COMPOSE if plugin else IGNORES
    code = stay_attached(attachment, stdin=stdin, proxy=proxy, interrupted=interrupted)
    if code:
        sys.stderr.write("\n")  # docker compose tells its own failure here, in no words
    return code


def prepare(found: Session, service: str) -> dict[str, str]:
    """Have the images, networks, volumes and (but for --no-deps) the dependencies that a service needs; returns the images' ids."""
    from hyperbox.cli.compose_images import ensure_images
    from hyperbox.cli.compose_up import check_models
    from hyperbox.plan.order import selected

    flags = found.invocation.flags
    check_models(found)
    names = selected(found.desired, [service], no_deps=bool(flags["no-deps"]))
    policy = str(flags["pull"]) if "pull" in found.invocation.given else ""
    build = bool(flags["build"])
    with step_progress(found.invocation, "Creating") as progress:
        others = [name for name in names if name != service]
        image_ids = ensure_images(found, others, progress, policy=policy, build=build)
        found = _make_surroundings(found, service, names, image_ids, progress)
    if others and not found.invocation.globals.get("dry-run"):
        _start_dependencies(found, service, names, image_ids)
    with step_progress(found.invocation) as progress:
        image_ids.update(ensure_images(found, [service], progress, policy=policy, build=build))
    if found.invocation.globals.get("dry-run") and not flags["detach"]:
        raise ComposeError("interactive run is not supported in dry-run mode")
    return image_ids


def _make_surroundings(
    found: Session, service: str, names: list[str], image_ids: dict[str, str], progress: StepProgress
) -> Session:
    """Make networks, volumes and the dependencies' containers; returns the session in which the service has its providers' variables."""
    from hyperbox.cli.compose_up import carry_out, tell_orphans, with_providers
    from hyperbox.plan.ownership import tell_foreign
    from hyperbox.plan.reconcile import Up, UpOptions, reconcile_up
    from hyperbox.plan.removal import orphans_removal

    flags, show = found.invocation.flags, not found.invocation.flags["quiet"]
    dependencies = tuple(name for name in names if name != service)
    observed = found.observe()
    tell_orphans(found, observed)
    if flags["remove-orphans"]:
        carry_out(found, orphans_removal(found.desired, observed), progress=progress, show=show)
    if dependencies:
        options = UpOptions(
            services=dependencies,
            image_ids=image_ids,
            start=progress.dry_run,  # what is only pretended can't be started later
        )
        found = with_providers(found, list(dependencies), progress if show else None)
        plan = reconcile_up(found.desired, found.observe(), options)
        carry_out(found, plan, image_ids, progress=progress, show=show)
    observed = found.observe()
    tell_foreign(found.desired, observed, warner(found.invocation))
    up = Up(found.desired, observed, UpOptions())
    up.networks([service])
    up.volumes([service])
    carry_out(found, up.builder.plan(), image_ids, progress=progress, show=show)
    return found


def _start_dependencies(found: Session, service: str, names: list[str], image_ids: dict[str, str]) -> None:
    """Start what a service depends on, and wait for what it waits for. Raises ComposeError."""
    from hyperbox.cli.compose_up import carry_out
    from hyperbox.plan.execute import optional_warning
    from hyperbox.plan.operations import without_kept
    from hyperbox.plan.reconcile import UpOptions, reconcile_up
    from hyperbox.plan.wait import wait_for

    dependencies = tuple(name for name in names if name != service)
    options = UpOptions(services=dependencies, image_ids=image_ids, recreate="never", recreate_dependencies="never")
    plan = without_kept(reconcile_up(found.desired, found.observe(), options))
    with step_progress(found.invocation, "Running") as progress:
        carry_out(found, plan, image_ids, progress=progress, show=not found.invocation.flags["quiet"])
    for dependency in found.desired.services[service].depends_on:
        if dependency.condition == "service_started":
            continue
        for row in found.containers([dependency.service]):
            try:
                wait_for(found.engine, row.container_id, dependency.condition)
            except ComposeError as error:
                if dependency.required:
                    raise
                warner(found.invocation)(optional_warning(dependency.service, error.message))


def one_off(
    found: Session, wish: ServiceWish, definition: Json, image_ids: dict[str, str], *, tty: bool
) -> tuple[ContainerSpec, list[FileWish]]:
    """Return the spec of a container for one command, and its files; `definition` is the service as `run` has it."""
    from hyperbox.cli.compose_ports import port_assigner
    from hyperbox.compose.hash import service_hash
    from hyperbox.engine.api import ContainerSpec
    from hyperbox.plan.order import start_refusal
    from hyperbox.project.desired_spec import service_to_spec

    flags = found.invocation.flags
    slug = os.urandom(32).hex()
    name = str(flags["name"]) or found.desired.separator.join((found.desired.name, wish.name, "run", slug[:12]))
    interactive = bool(flags["interactive"])
    kept = {key: value for key, value in definition.items() if key not in ("tty", "stdin_open")}
    # a flag that is off is no part of what is hashed
    states = {key: True for key, wanted in (("tty", tty), ("stdin_open", interactive)) if wanted}
    definition = {**kept, **states, "container_name": name}
    changed = wish._replace(
        definition={**definition, "volumes": as_mounted(definition["volumes"], found.desired.volumes)},
        config_hash=service_hash(definition),
        depends_on=() if flags["no-deps"] else wish.depends_on,
    )
    ids = {row.service: row.container_id for row in reversed(found.containers())}
    # what the command line publishes is meant as it is said there
    assign: RealPort = _as_published if flags["publish"] else port_assigner(found)
    image_id = image_ids.get(wish.name, "")
    spec, files = service_to_spec(found.desired, changed, 1, image_id, assign, slug=slug, container_ids=ids)
    config, host = dict(spec.config), dict(spec.host_config)
    config.update(Tty=tty, OpenStdin=interactive, StdinOnce=interactive, AttachStdin=interactive)
    if any(word.startswith("=") for word in words_of(config.get("Env"))):
        wrong = next(word for word in words_of(config["Env"]) if word.startswith("="))
        raise EngineError(f"invalid environment variable: {wrong}", exit_code=1)
    if refusal := start_refusal(found.desired, wish.name):
        raise ComposeError(refusal)
    host["RestartPolicy"] = {"Name": "no", "MaximumRetryCount": 0}
    host["AutoRemove"] = bool(flags["rm"])
    set_aliases(spec, name, wish, use=bool(flags["use-aliases"]))
    return ContainerSpec(
        name, config, host, spec.networking_config, project=spec.project, platform=spec.platform
    ), list(files)


def _as_published(_service: str, _ordinal: int, port: Json) -> str:
    return str(port.get("published") or "")


def set_aliases(spec: ContainerSpec, name: str, wish: ServiceWish, *, use: bool) -> None:
    """Have a container of `run` known by its own name alone, or (`use`) by the service's names as well."""
    endpoints = spec.networking_config.get("EndpointsConfig")
    for endpoint in endpoints.values() if isinstance(endpoints, dict) else ():
        given = endpoint["Aliases"][1:]  # the first is the name that the plan would give it
        endpoint["Aliases"] = [name, *([wish.name, *given] if use else [])]


def changed_service(found: Session, service: Json, words: list[str]) -> Json:
    """Return a service as the flags of `run` and its command change it. Raises ComposeError with docker compose's words."""
    import shlex

    flags, given = found.invocation.flags, found.invocation.given
    changed = {key: value for key, value in service.items() if key not in ("container_name", "restart")}
    deploy = changed.get("deploy")
    if isinstance(deploy, dict):
        changed["deploy"] = {key: value for key, value in deploy.items() if key != "restart_policy"}
    if words:
        changed["command"] = words
    if "entrypoint" in given:
        try:
            changed["entrypoint"] = shlex.split(str(flags["entrypoint"]))
        except ValueError:
            raise ComposeError("invalid command line string") from None
        if not words:
            changed["command"] = []
    for flag, key in (("user", "user"), ("workdir", "working_dir")):
        if flags[flag]:
            changed[key] = str(flags[flag])
    if variables := variables_given(flags):
        changed["environment"] = {**_mapping(changed, "environment"), **variables}
    labels = words_of(flags["label"])
    if any("=" not in word for word in labels):
        raise ComposeError("label must be set as KEY=VALUE")
    if labels:
        changed["labels"] = {**_mapping(changed, "labels"), **dict(word.partition("=")[::2] for word in labels)}
    for key, other, flag in (("cap_add", "cap_drop", "cap-add"), ("cap_drop", "cap_add", "cap-drop")):
        if names := words_of(flags[flag]):
            changed[key] = [*words_of(changed.get(key)), *names]
            rest = [name for name in words_of(changed.pop(other, None)) if name not in names]
            changed.update({other: rest} if rest else {})
    if not flags["service-ports"]:
        changed["ports"] = [port for text in words_of(flags["publish"]) for port in parse_ports(text)]
    volumes = changed.get("volumes")
    held = list(volumes) if isinstance(volumes, list) else []
    changed["volumes"] = [*held, *(_volume(found, text) for text in words_of(flags["volume"]))]
    return changed


def _mapping(service: Json, key: str) -> Json:
    value = service.get(key)
    return value if isinstance(value, dict) else {}


def _volume(found: Session, text: str) -> Json:
    """Return a volume of --volume. Raises ComposeError."""
    volume = parse_volume(text)
    if volume["type"] != "bind" and "bind" in volume:
        warner(found.invocation)(f"mount of type `{volume['type']}` should not define `bind` option")
    return volume


def as_mounted(volumes: object, named: Container[str]) -> list[Json]:
    """Return volumes as docker compose mounts them: relative paths below the folder where the command is run, one for each target.

    Of several for a target the last says what is mounted and the first in which way; a volume that is not among `named` is mounted as it says itself.
    """
    result: dict[object, Json] = {}
    row: Json
    for row in volumes if isinstance(volumes, list) else []:
        target, kind, source = row.get("target"), row.get("type"), row.get("source")
        if kind == "bind":
            source = str(source) if is_windows_absolute(str(source)) else os.path.abspath(str(source))
        elif kind != "volume" or source not in named:
            result[target] = row
            continue
        result[target] = {**result.get(target, row), "type": kind, "source": source}
    return list(result.values())


def variables_given(flags: Mapping[str, object]) -> dict[str, str]:
    """Return the variables of --env-from-file and --env; the last one counts, and one that has no value here is none."""
    from hyperbox.cli.container_spec import environment_list

    words = environment_list(words_of(flags["env"]), words_of(flags.get("env-from-file")))
    return dict(word.partition("=")[::2] for word in words if "=" in word)


def has_tty(invocation: Invocation) -> bool:
    """Return whether `run` gives its container a pseudo-terminal: unless told otherwise where stdout, and stdin too, are terminals.

    Who says --interactive or --tty is not asked for a terminal on stdin here: `check_terminal` is for that.
    """
    flags, given = invocation.flags, invocation.given
    if "tty" in given:
        return bool(flags["tty"])
    if "no-TTY" in given:
        return not flags["no-TTY"]
    return os.isatty(1) and ("interactive" in given or os.isatty(0))
