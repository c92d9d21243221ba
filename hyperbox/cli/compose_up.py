"""compose up, create, scale: converge a project, then stay attached or wait where that was asked for."""

from __future__ import annotations

import os
import signal
import sys
from functools import partial

from hyperbox.cli.compose_images import ensure_images, platform_parts
from hyperbox.cli.compose_progress import is_true, parallel_limit, step_progress
from hyperbox.cli.compose_project import Session, default_platform, session, timeout_of, warner
from hyperbox.compose.check import check_container_names
from hyperbox.errors import ComposeError, HyperBoxError
from hyperbox.grammar.values import words_of
from hyperbox.plan.execute import AT_ONCE, Context, StepEvent, execute
from hyperbox.plan.operations import CreateContainer, Plan, Prepared, RunHooks, StartContainer, StopContainer
from hyperbox.plan.order import selected
from hyperbox.plan.ownership import tell_foreign
from hyperbox.plan.reconcile import UpOptions, reconcile_up, volume_diverged
from hyperbox.plan.removal import orphans
from hyperbox.project.desired_mounts import ignored_owners
from hyperbox.project.desired_spec import check_keys, named_twice, service_to_spec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hyperbox.cli.compose_progress import StepProgress
    from hyperbox.engine.api import ContainerSpec, Json
    from hyperbox.grammar.parse import Invocation
    from hyperbox.plan.observe import Observed, ObservedContainer
    from hyperbox.project.desired import ServiceWish


PULL = ("always", "missing", "never", "build", "if_not_present")


def asked_port(service: str, ordinal: int, port: Json) -> str:
    """Return the host port that the file asks for, as it is."""
    del service, ordinal
    return str(port.get("published") or "")


def anonymous_volumes(session: Session, container_id: str) -> dict[str, str]:
    """Return the anonymous volumes of a container: destination -> name."""
    inspected = session.engine.container_inspect(container_id)
    mounts = inspected.get("Mounts")
    named = {wish.name for wish in session.desired.volumes.values()}
    found = {}
    for mount in mounts if isinstance(mounts, list) else []:
        name = str(mount.get("Name") or "")
        if mount.get("Type") == "volume" and name and name not in named:
            found[str(mount["Destination"])] = name
    return found


def names_others(definition: Json) -> bool:
    """Return whether a service's container is made with the ids of other services' containers."""
    modes = (definition.get(key) for key in ("network_mode", "ipc", "pid", "uts", "cgroup", "userns_mode"))
    return bool(definition.get("volumes_from")) or any(str(mode or "").startswith("service:") for mode in modes)


def settle(session: Session, spec: ContainerSpec) -> None:
    """Fill in what a container's spec has of this machine: its platform and what `security_opt` names. Raises ComposeError."""
    if not spec.platform and (platform := default_platform(session)):
        platform_parts(platform)
        spec.platform = platform
    settle_security(session, spec)


def settle_security(session: Session, spec: ContainerSpec) -> None:
    """Read in the seccomp profile that `security_opt` names, and leave system paths open where it says so. Raises ComposeError."""
    options = spec.host_config.get("SecurityOpt")
    if not isinstance(options, list):
        return
    from hyperbox.cli.container_spec import security_options

    try:
        kept, unconfined = security_options(options, session.desired.working_dir, "invalid security-opt")
    except HyperBoxError as error:
        raise ComposeError(error.message) from None
    spec.host_config["SecurityOpt"] = kept or None
    if unconfined:
        spec.host_config.update(MaskedPaths=[], ReadonlyPaths=[])


def provider_down(session: Session, service: str, on_event: Callable[[StepEvent], None]) -> None:
    """Have a service's provider do `down`. Raises ComposeError."""
    from hyperbox.cli.compose_provider import run_provider

    run_provider(session.desired.name, session.desired.services[service], "down", on_event)


def _untold(event: StepEvent) -> None:
    del event


def preparer(
    session: Session,
    image_ids: Mapping[str, str],
    *,
    progress: StepProgress | None,
    on_hook: Callable[[str, bytes], None] | None = None,
) -> Context:
    """Return the context in which a plan of this project is carried out; without `progress` its steps are not told."""
    from hyperbox.cli.compose_ports import add_address, port_assigner

    warning = warner(session.invocation)
    tell = progress.event if progress is not None else _untold
    if progress is not None:
        warning = partial(progress.say, write=warning)
    real_port = port_assigner(session)

    def prepare(service: str, ordinal: int, replaced: str) -> Prepared:
        wish = session.desired.services[service]
        warn_of_secrets(session, wish)
        inherited = anonymous_volumes(session, replaced) if replaced else {}
        rows = session.containers() if names_others(wish.definition) else []
        ids = {row.service: row.container_id for row in reversed(rows)}
        spec, _ = service_to_spec(
            session.desired,
            wish,
            ordinal,
            image_ids.get(service, ""),
            real_port,
            inherited=inherited,
            container_ids=ids,
        )
        add_address(session, service, ordinal, spec)
        settle(session, spec)
        return Prepared(spec, warnings=(*ignored_owners(session.desired, wish), *named_twice(wish)))

    known: dict[tuple[str, int], str] = {}

    def container_id(service: str, ordinal: int) -> str:
        if (service, ordinal) not in known:  # one that is to take another's place counts where that one has gone
            rows = sorted(session.containers(), key=lambda row: not row.replaces)
            known.update({(row.service, row.ordinal): row.container_id for row in rows})
        if (service, ordinal) not in known:
            raise ComposeError(f'service "{service}" has no container #{ordinal}')
        return known[service, ordinal]

    limit = parallel_limit(session.invocation) or AT_ONCE
    down = partial(provider_down, session, on_event=tell)
    return Context(session.engine, prepare, container_id, tell, limit, on_hook, warning, down)


def carry_out(
    session: Session,
    plan: Plan,
    image_ids: Mapping[str, str] | None = None,
    *,
    progress: StepProgress | None = None,
    show: bool = True,
    on_hook: Callable[[str, bytes], None] | None = None,
) -> None:
    """Execute a plan, or with --dry-run only show it; its steps are told to `progress`, or shown by themselves."""
    if show and progress is None:
        with step_progress(session.invocation) as own:
            carry_out(session, plan, image_ids, progress=own, on_hook=on_hook)
        return
    context = preparer(session, image_ids or {}, progress=progress if show else None, on_hook=on_hook)
    if not session.invocation.globals.get("dry-run"):
        execute(plan, context)
        return
    from hyperbox.plan.execute import step_words

    for node in plan.nodes:
        for word, state in zip(step_words(node), ("working", "done"), strict=True):
            if word:
                context.on_event(StepEvent(node.name, word, state))
            if state == "working" and isinstance(node.operation, CreateContainer):
                _check_container(session, node.operation, node.name, context)
        if isinstance(node.operation, (StartContainer, StopContainer, RunHooks)):
            _pretend_hooks(session, node.operation, node.name)
    if progress is not None and progress.mode not in ("json", "quiet"):
        for line in plan.text().splitlines():  # stdout stays as docker compose leaves it
            progress.tail.append(f" DRY-RUN MODE -  {line}")


def _pretend_hooks(session: Session, step: StartContainer | StopContainer | RunHooks, name: str) -> None:
    """Show the hooks that a step would run in a container; one that is not there yet has its name only."""
    container = name.removeprefix("Container ")
    if isinstance(step, StartContainer):
        rows = [row for row in session.containers([step.service]) if row.ordinal == step.ordinal] if step.hooks else []
        container = rows[0].container_id if rows else container
    else:
        container = step.container_id
    for hook in step.hooks:
        tell_command(words_of(hook.get("command")), container)


def tell_command(words: Sequence[str], container: str) -> None:
    """Show, with --dry-run, what would be executed in a container."""
    from hyperbox.go.text import quote

    print(
        f" DRY-RUN MODE - Executing command [{' '.join(map(quote, words))}] in {container} (detached mode)", flush=True
    )


def _check_container(session: Session, step: CreateContainer, name: str, context: Context) -> None:
    """Raise what making a container would meet before the engine is asked: a --dry-run fails at it too."""
    wish = session.desired.services[step.service]
    warn_of_secrets(session, wish)
    ids = dict.fromkeys(session.desired.services, "")
    try:
        spec, _ = service_to_spec(session.desired, wish, step.ordinal, "", asked_port, container_ids=ids)
        settle(session, spec)
    except HyperBoxError as error:
        context.on_event(StepEvent(name, error.message, "error"))
        raise


def warn_of_secrets(session: Session, wish: ServiceWish) -> None:
    """Warn of a service's secrets whose files are not there, before a container is made."""
    project, rows = session.desired.project, wish.definition.get("secrets")
    if project is None:
        return
    for row in rows if isinstance(rows, list) else []:
        secret = project.secrets.get(str(row.get("source")), {})
        if secret.get("file") and not os.path.exists(str(secret["file"])):
            warner(session.invocation)(f"secret file {secret.get('name')} does not exist")


def parse_scale(values: Sequence[str], *, flag: bool = True) -> dict[str, int]:
    """Return SERVICE=NUM, of --scale (`flag`) or of the arguments of `scale`, as numbers. Raises ComposeError."""
    scale = {}
    for text in values:
        name, equals, count = text.partition("=")
        if not equals:
            said = (
                f'invalid --scale option "{text}". Should be SERVICE=NUM'
                if flag
                else f"invalid scale specifier: {text}"
            )
            raise ComposeError(said)
        if not count.isdigit():
            from hyperbox.go.text import invalid_syntax

            said = f"invalid scale specifier: can't parse replica value as int: {text}"
            raise ComposeError(invalid_syntax("Atoi", count) if flag else said)
        scale[name] = int(count)
    return scale


def check_up_flags(invocation: Invocation) -> None:
    """Raise ComposeError for flags that don't go together, with docker compose's words."""
    flags, given = invocation.flags, invocation.given
    attaching = flags.get("attach") or flags.get("attach-dependencies") or flags.get("abort-on-container-exit")
    cascade = flags.get("abort-on-container-exit") or flags.get("exit-code-from")
    if flags.get("abort-on-container-exit") and flags.get("abort-on-container-failure"):
        raise ComposeError("--abort-on-container-failure cannot be combined with --abort-on-container-exit")
    if flags.get("wait") and attaching:
        raise ComposeError(
            "--wait cannot be combined with --abort-on-container-exit, --attach or --attach-dependencies"
        )
    if flags.get("force-recreate") and flags.get("no-recreate"):
        raise ComposeError("--force-recreate and --no-recreate are incompatible")
    if flags.get("build") and flags.get("no-build"):
        raise ComposeError("--build and --no-build are incompatible")
    if flags.get("always-recreate-deps") and flags.get("no-recreate"):
        raise ComposeError("--always-recreate-deps and --no-recreate are incompatible")
    if (flags.get("detach") or flags.get("wait")) and (
        flags.get("attach")
        or flags.get("attach-dependencies")
        or cascade
        or flags.get("abort-on-container-failure")
        or flags.get("watch")
    ):
        raise ComposeError(
            f"--{'wait' if flags.get('wait') else 'detach'} cannot be combined with --abort-on-container-exit, "
            "--abort-on-container-failure, --attach, "
            "--attach-dependencies or --watch"
        )
    if flags.get("no-deps") and given.get("attach-dependencies"):
        raise ComposeError("--no-deps and --attach-dependencies are incompatible")
    if given.get("pull") and str(flags["pull"]) not in PULL:
        raise ComposeError(f'invalid --pull option "{flags["pull"]}"')


def removes_orphans(invocation: Invocation) -> bool:
    """Return whether `up` or `create` takes orphans away: --remove-orphans, and for `up` COMPOSE_REMOVE_ORPHANS."""
    asked = invocation.path == "compose up" and is_true("COMPOSE_REMOVE_ORPHANS")
    return bool(invocation.flags.get("remove-orphans")) or asked


def tell_orphans(found: Session, observed: Observed) -> None:
    """Warn of containers that no service of the files has, where they are not to be removed."""
    if removes_orphans(found.invocation) or is_true("COMPOSE_IGNORE_ORPHANS"):
        return
    extra = orphans(found.desired, observed)
    if extra:
        warn_of_orphans(found, extra)


def warn_of_orphans(found: Session, extra: Sequence[ObservedContainer]) -> None:
    """Warn of these containers, which no service of the files has."""
    names = " ".join(row.name for row in found.newest_first(extra))
    warner(found.invocation)(
        f"Found orphan containers ([{names}]) for this project. If you removed or renamed this service in your compose file, "
        "you can run this command with the --remove-orphans flag to clean it up."
    )


def confirmed_volumes(found: Session, observed: Observed) -> frozenset[str]:
    """Return the keys of the volumes that differ from the file and that the user lets be made anew."""
    keys = [key for key, wish in found.desired.volumes.items() if volume_diverged(wish, observed)]
    yes = bool(found.invocation.flags.get("yes"))
    return frozenset(
        key
        for key in keys
        if yes
        or confirm(
            f'Volume "{found.desired.volumes[key].name}" exists but doesn\'t match configuration in compose file. '
            "Recreate (data will be lost)?"
        )
    )


def confirm(question: str) -> bool:
    """Ask on stdout; return whether the answer on stdin is yes."""
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    sys.stdout.write(f"? {question} (y/N) " if terminal else question)
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes", "1", "t", "true")


def up_options(invocation: Invocation, image_ids: Mapping[str, str], *, start: bool) -> UpOptions:
    """Return how to reconcile, from the flags of up or create."""
    flags = invocation.flags
    recreate = (
        "force"
        if flags.get("force-recreate") or flags.get("renew-anon-volumes")
        else "never"
        if flags.get("no-recreate")
        else "diverged"
    )
    others = "force" if flags.get("always-recreate-deps") else "never" if flags.get("no-recreate") else "diverged"
    return UpOptions(
        services=tuple(invocation.arguments),
        no_deps=bool(flags.get("no-deps")),
        recreate=recreate,
        recreate_dependencies=others,
        start=start,
        renew_volumes=bool(flags.get("renew-anon-volumes")),
        remove_orphans=removes_orphans(invocation),
        timeout=timeout_of(invocation),
        image_ids=image_ids,
    )


def converge(
    invocation: Invocation,
    progress: StepProgress,
    *,
    start: bool,
    counts: dict[str, int] | None = None,
    may_be_empty: bool = False,
) -> Session:
    """Bring the project to what its files want; returns the session for what follows. `counts` scales in place of --scale.

    Raises ComposeError where no service is selected, unless the project `may_be_empty`.
    """
    scale = parse_scale(words_of(invocation.flags.get("scale"))) if counts is None else counts
    found = session(invocation, scale=scale, services=invocation.arguments)
    if not found.desired.services:
        if may_be_empty:
            return found
        raise ComposeError("no service selected")
    check_services(found)
    check_models(found)
    services = selected(found.desired, invocation.arguments, no_deps=bool(invocation.flags.get("no-deps")))
    check_container_names({name: found.desired.services[name].definition for name in services})
    for name in services:
        check_keys(found.desired.services[name])
    image_ids = ensure_images(
        found,
        services,
        progress,
        policy=str(invocation.flags.get("pull") or "") if invocation.given.get("pull") else "",
        build=bool(invocation.flags.get("build")),
        no_build=bool(invocation.flags.get("no-build")),
    )
    found = with_providers(found, services, progress)
    observed = found.observe()
    tell_orphans(found, observed)
    tell_foreign(found.desired, observed, warner(invocation))
    options = up_options(invocation, image_ids, start=start)._replace(volumes=confirmed_volumes(found, observed))
    plan = reconcile_up(found.desired, observed, options)
    carry_out(found, plan, image_ids, progress=progress)
    return found


def with_providers(found: Session, services: list[str], progress: StepProgress | None) -> Session:
    """Have the providers among the services do `up`; returns the session in which their dependents have the variables that they set."""
    if not any(found.desired.services[name].definition.get("provider") for name in services):
        return found
    from hyperbox.cli.compose_provider import bring_up

    return bring_up(found, services, progress.event if progress is not None else _untold)


def check_models(found: Session) -> None:
    """Raise ComposeError, as docker compose without its plugin for models does, for services that want a model."""
    if any(wish.definition.get("models") for wish in found.desired.services.values()):
        raise ComposeError("'models' support requires Docker Model plugin")


def check_services(found: Session) -> None:
    """Raise ComposeError for services of --attach and --exit-code-from that are not there."""
    flags = found.invocation.flags
    for name in (
        *words_of(flags.get("attach")),
        *([str(flags["exit-code-from"])] if flags.get("exit-code-from") else []),
    ):
        if name not in found.desired.services:
            raise ComposeError(f"no such service: {name}: not found")


def up(invocation: Invocation) -> int:
    """`docker compose up`.

    Interrupted or terminated before it is attached it ends with 130 and an empty line: docker compose's error without words.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _up(invocation)
    except KeyboardInterrupt:
        if invocation.globals.get("progress") != "json":
            sys.stderr.write("\n")
        return 130


def _up(invocation: Invocation) -> int:
    check_up_flags(invocation)
    if removes_orphans(invocation) and is_true("COMPOSE_IGNORE_ORPHANS"):
        raise ComposeError("cannot combine COMPOSE_IGNORE_ORPHANS and --remove-orphans")
    flags = invocation.flags
    attached = not (flags.get("detach") or flags.get("wait") or flags.get("no-start"))
    if attached and invocation.globals.get("dry-run"):
        with step_progress(invocation) as progress:
            converge(invocation, progress, start=False)
        print("end of 'compose up' output, interactive run is not supported in dry-run mode", flush=True)
        return 0
    if attached:
        from hyperbox.cli.compose_foreground import foreground

        with step_progress(invocation) as progress:
            created = converge(invocation, progress, start=False)
        return foreground(created, start=lambda on_hook: _start(created, on_hook))
    with step_progress(invocation) as progress:
        found = converge(invocation, progress, start=not flags.get("no-start"))
        if flags.get("wait") and not flags.get("no-start") and not invocation.globals.get("dry-run"):
            from hyperbox.cli.compose_wait import wait_until_up

            timeout = flags.get("wait-timeout")
            wait_until_up(found, invocation.arguments, timeout if isinstance(timeout, int) else 0, progress)
    return 0


def _start(found: Session, on_hook: Callable[[str, bytes], None]) -> None:
    """Start what `converge` made; only what its hooks print is shown."""
    options = up_options(found.invocation, {}, start=True)._replace(
        recreate="never", recreate_dependencies="never", remove_orphans=False
    )
    carry_out(found, reconcile_up(found.desired, found.observe(), options), show=False, on_hook=on_hook)


def create(invocation: Invocation) -> int:
    """`docker compose create`."""
    check_up_flags(invocation)
    with step_progress(invocation) as progress:
        converge(invocation, progress, start=False, may_be_empty=True)
    return 0


def scale(invocation: Invocation) -> int:
    """`docker compose scale`."""
    counts = parse_scale(invocation.arguments, flag=False)
    invocation.arguments[:] = list(counts)
    with step_progress(invocation) as progress:
        converge(invocation, progress, start=True, counts=counts)
    return 0
