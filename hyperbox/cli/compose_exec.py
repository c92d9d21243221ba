"""`docker compose exec`, `attach`, `cp` and `run`: one container of a service, and one made for a single command."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from hyperbox.cli.compose_progress import step_progress
from hyperbox.cli.compose_project import containers_named, session, session_of_name, warner
from hyperbox.cli.compose_up import PULL
from hyperbox.compose.discover import invalid_name, normalize_name
from hyperbox.errors import ComposeError, EngineError, NotFound
from hyperbox.grammar.values import words_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.cli.compose_progress import StepProgress
    from hyperbox.cli.compose_project import Session
    from hyperbox.engine.api import ContainerSpec
    from hyperbox.grammar.parse import Invocation
    from hyperbox.plan.observe import ObservedContainer
    from hyperbox.project.desired import ServiceWish
    from hyperbox.project.desired_mounts import FileWish

    Json = dict[str, object]


def _index(invocation: Invocation) -> int:
    index = invocation.flags.get("index")
    return index if isinstance(index, int) else 0


def environment(words: object) -> list[str]:
    """Return --env's words; a name without a value takes our own variable's."""
    from hyperbox.cli.container_spec import environment_list

    return environment_list(words_of(words), ())


def wants_tty(invocation: Invocation, name: str) -> bool:
    """Return whether a pseudo-terminal is wanted: by default where stdin and stdout are terminals."""
    if name in invocation.given:
        return not invocation.flags[name]
    return os.isatty(0) and os.isatty(1)


# --- exec and attach ----------------------------------------------------------------------------------------------------------
def execute(invocation: Invocation) -> int:
    """docker compose exec SERVICE COMMAND…"""
    from hyperbox.cli.attached import window_size
    from hyperbox.cli.streams import stay_with_exec

    flags = invocation.flags
    service, *words = invocation.arguments
    found = session_of_name(invocation)
    given = str(invocation.globals.get("project-name") or "")
    if normalize_name(given) != given:
        raise invalid_name(given)
    if found.desired.known_services and service not in found.desired.known_services:
        raise ComposeError(f'service "{service}" is not running')
    row = found.container(service, _index(invocation))
    if invocation.globals.get("dry-run"):
        raise ComposeError("interactive exec is not supported in dry-run mode")
    detach = bool(flags["detach"])
    tty = wants_tty(invocation, "no-tty") and not detach
    interactive = bool(flags["interactive"]) and not detach
    config: Json = {
        "Cmd": words,
        "User": str(flags["user"]),
        "Privileged": bool(flags["privileged"]),
        "Tty": tty,
        "AttachStdin": interactive,
        "AttachStdout": not detach,
        "AttachStderr": not detach,
        "Env": environment(flags["env"]),
        "WorkingDir": str(flags["workdir"]),
    }
    if tty:
        config["ConsoleSize"] = list(window_size() or (0, 0))
    exec_id = found.engine.exec_create(row.container_id, config)
    if detach:
        found.engine.exec_start(exec_id, detach=True)
        return 0
    return stay_with_exec(found.engine, exec_id, stdin=interactive, tty=tty, compose=True)


def attach(invocation: Invocation) -> int:
    """docker compose attach SERVICE"""
    from hyperbox.cli import streams

    row = session_of_name(invocation).container(invocation.arguments[0], _index(invocation))
    invocation.arguments[:] = [row.container_id]
    return streams.attach(invocation)


# --- cp -----------------------------------------------------------------------------------------------------------------------
def copy(invocation: Invocation) -> int:
    """docker compose cp SERVICE:SRC DEST|-  or  SRC|- SERVICE:DEST"""
    from hyperbox.cli import copy as containers

    source, target = invocation.arguments
    found = session_of_name(invocation)
    from_service, from_path = containers.split_place(source)
    to_service, to_path = containers.split_place(target)
    if from_service and to_service:
        raise ComposeError("copying between services is not supported")
    if not from_service and not to_service:
        raise ComposeError("unknown copy direction")
    service, number, everything = from_service or to_service, _index(invocation), bool(invocation.flags["all"])
    rows = [
        row
        for row in sorted(containers_named(found, [service]), key=lambda row: row.ordinal)
        if (everything or not row.one_off) and (not number or row.ordinal == number)
    ]
    if not rows and number:
        raise ComposeError(f'service "{service}" is not running container #{number}')
    if not rows:
        raise ComposeError(f'no container found for service "{service}"')
    if from_service:
        rows = rows[:1]
    from hyperbox.plan.execute import StepEvent

    invocation.flags["quiet"] = invocation.given["quiet"] = True
    with step_progress(invocation) as progress:
        for row in rows:
            words = (f"{row.name}:{from_path}", target) if from_service else (source, f"{row.name}:{to_path}")
            said = f"copy {words[0]} to {words[1]}"
            progress.event(StepEvent(row.name, "Copying", "working", said))
            if progress.dry_run:
                _check_source(found, row, from_service, from_path)
            elif from_service:
                containers.copy_out(found.engine, invocation, row.container_id, from_path, to_path)
            else:
                containers.copy_in(found.engine, invocation, from_path, row.container_id, to_path)
            progress.event(StepEvent(row.name, "Copied", "done", said))
    return 0


def _check_source(found: Session, row: ObservedContainer, service: str, path: str) -> None:
    """Raise what a copy that is only pretended would meet where its source is not there."""
    from hyperbox.cli.copy import container_stat

    if service and container_stat(found.engine, row.container_id, path) is None:
        raise ComposeError(f"  DRY-RUN MODE -  Could not find the file {path} in container {row.container_id}")
    if not service and path != "-" and not os.path.lexists(path):
        raise ComposeError(f"lstat {os.path.abspath(path)}: no such file or directory")


# --- run ----------------------------------------------------------------------------------------------------------------------
def run(invocation: Invocation) -> int:
    """docker compose run SERVICE [COMMAND…]"""
    service, *words = invocation.arguments
    check_run_flags(invocation)
    found = session(invocation, services=[service])
    wish = found.desired.services.get(service)
    if wish is None:
        raise ComposeError(f"no such service: {service}")
    image_ids = prepare(found, service)
    spec, files = one_off(found, wish, words, image_ids)
    from hyperbox.cli.compose_up import preparer, settle
    from hyperbox.plan.execute import create
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
        engine.container_start(container_id)
        sys.stdout.write(f"{container_id}\n")
        return 0
    return _foreground(found, container_id, spec)


def check_run_flags(invocation: Invocation) -> None:
    """Raise ComposeError for flags that don't go together, with docker compose's words."""
    flags, given = invocation.flags, invocation.given
    if flags["service-ports"] and flags["publish"]:
        raise ComposeError("--service-ports and --publish are incompatible")
    if "pull" in given and str(flags["pull"]) not in PULL:
        raise ComposeError(f'invalid --pull option "{flags["pull"]}"')


def _foreground(found: Session, container_id: str, spec: ContainerSpec) -> int:
    from hyperbox.cli.attached import DIES, IGNORES, check_terminal, stay_attached
    from hyperbox.engine.attach import StreamAttachment

    engine = found.engine
    tty, stdin = bool(spec.config.get("Tty")), bool(spec.config.get("OpenStdin"))
    attachment = engine.container_attach(container_id, stdin=stdin, stdout=True, stderr=True)
    assert isinstance(attachment, StreamAttachment)
    if tty:
        check_terminal(interactive=stdin, tty=True)
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

    proxy = None if tty else forward
    code = stay_attached(attachment, stdin=stdin, proxy=proxy, interrupted=IGNORES if proxy else DIES)
    if code:
        sys.stderr.write("\n")  # the message of docker compose's error, which has none
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
    found: Session, wish: ServiceWish, words: list[str], image_ids: dict[str, str]
) -> tuple[ContainerSpec, list[FileWish]]:
    """Return the spec of a container for one command, and its files: the service's, changed by the flags of `run`."""
    from hyperbox.cli.compose_ports import port_assigner
    from hyperbox.engine.api import ContainerSpec
    from hyperbox.plan.order import start_refusal
    from hyperbox.project.desired_spec import service_to_spec

    invocation, flags = found.invocation, found.invocation.flags
    definition = dict(wish.definition)
    if not flags["service-ports"]:
        definition["ports"] = []
    definition.pop("container_name", None)
    definition.pop("restart", None)
    ids = {row.service: row.container_id for row in reversed(found.containers())}
    spec, files = service_to_spec(
        found.desired,
        wish._replace(definition=definition),
        1,
        image_ids.get(wish.name, ""),
        port_assigner(found),
        slug=os.urandom(32).hex(),
        container_ids=ids,
    )
    config, host = dict(spec.config), dict(spec.host_config)
    tty = wants_tty(invocation, "no-TTY") and not flags["detach"]
    interactive = bool(flags["interactive"])
    config.update(
        {
            "Tty": tty,
            "OpenStdin": interactive,
            "StdinOnce": interactive,
            "AttachStdin": interactive,
            "AttachStdout": True,
            "AttachStderr": True,
        }
    )
    change_config(invocation, config, words)
    change_host(invocation, config, host)
    refusal = start_refusal(found.desired, wish.name)
    if refusal:
        raise ComposeError(refusal)
    host["RestartPolicy"] = {"Name": "no", "MaximumRetryCount": 0}
    host["AutoRemove"] = bool(flags["rm"])
    name = str(flags["name"]) or spec.name
    set_aliases(spec, name, wish, use=bool(flags["use-aliases"]))
    changed = ContainerSpec(name, config, host, spec.networking_config, project=spec.project, platform=spec.platform)
    return changed, list(files)


def set_aliases(spec: ContainerSpec, name: str, wish: ServiceWish, *, use: bool) -> None:
    """Have a container of `run` known by its own name alone, or (`use`) by the service's names as well."""
    endpoints = spec.networking_config.get("EndpointsConfig")
    for endpoint in endpoints.values() if isinstance(endpoints, dict) else ():
        given = endpoint["Aliases"][1:]  # the first is the name that the plan would give it
        endpoint["Aliases"] = [name, *([wish.name, *given] if use else [])]


def change_config(invocation: Invocation, config: Json, words: list[str]) -> None:
    """Apply the flags of `run` that change the configuration."""
    import shlex

    flags = invocation.flags
    if words:
        config["Cmd"] = words
    if "entrypoint" in invocation.given:
        try:
            config["Entrypoint"] = shlex.split(str(flags["entrypoint"])) or [""]
        except ValueError:
            raise ComposeError("invalid command line string") from None
        if not words:
            config["Cmd"] = []
    if flags["user"]:
        config["User"] = str(flags["user"])
    if flags["workdir"]:
        config["WorkingDir"] = str(flags["workdir"])
    from hyperbox.cli.container_spec import environment_list

    words_given = environment_list(words_of(flags["env"]), words_of(flags.get("env-from-file")))
    # the last one counts, and one that has no value here is none
    given = list({word.partition("=")[0]: word for word in words_given if "=" in word}.values())
    if given:
        names = {word.partition("=")[0] for word in given}
        held = config.get("Env")
        kept = [word for word in (held if isinstance(held, list) else []) if word.partition("=")[0] not in names]
        config["Env"] = [*kept, *given]
    if any(word.startswith("=") for word in given):
        raise EngineError(
            f"invalid environment variable: {next(word for word in given if word.startswith('='))}", exit_code=1
        )
    labels = config.get("Labels")
    if any("=" not in word for word in words_of(flags["label"])):
        raise ComposeError("label must be set as KEY=VALUE")
    extra = dict(word.partition("=")[::2] for word in words_of(flags["label"]))
    config["Labels"] = {**(labels if isinstance(labels, dict) else {}), **extra}


def change_host(invocation: Invocation, config: Json, host: Json) -> None:
    """Apply the flags of `run` that change the host configuration: volumes, ports, capabilities."""
    from hyperbox.grammar.values import to_capabilities

    flags = invocation.flags
    for flag, key in (("cap-add", "CapAdd"), ("cap-drop", "CapDrop")):
        given = words_of(flags[flag])
        if given:
            held = host.get(key)
            host[key] = to_capabilities([*(held if isinstance(held, list) else []), *given])
    if flags["volume"]:
        from hyperbox.cli.container_spec_mounts import volumes

        binds, anonymous = volumes(words_of(flags["volume"]))
        targets = {bind.split(":")[1] for bind in binds}
        held_binds, held_mounts = host.get("Binds"), host.get("Mounts")
        host["Binds"] = [
            bind for bind in (held_binds if isinstance(held_binds, list) else []) if bind.split(":")[1] not in targets
        ] + binds
        host["Mounts"] = [
            mount
            for mount in (held_mounts if isinstance(held_mounts, list) else [])
            if mount.get("Target") not in targets
        ]
        if anonymous:
            config["Volumes"] = anonymous
    if flags["publish"]:
        from hyperbox.cli.container_spec_ports import ports

        exposed, bindings = ports(words_of(flags["publish"]), [])
        held_exposed, held_bindings = config.get("ExposedPorts"), host.get("PortBindings")
        config["ExposedPorts"] = {**(held_exposed if isinstance(held_exposed, dict) else {}), **exposed}
        host["PortBindings"] = {**(held_bindings if isinstance(held_bindings, dict) else {}), **bindings}
