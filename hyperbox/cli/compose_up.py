"""compose up, create, scale: converge a project, then stay attached or wait where that was asked for."""

from __future__ import annotations

import sys

from hyperbox.cli.compose_images import ensure_images
from hyperbox.cli.compose_progress import step_progress
from hyperbox.cli.compose_project import Session, session, strings, timeout_of, warn
from hyperbox.errors import ComposeError, UnsupportedError
from hyperbox.plan.execute import Context, StepEvent, execute
from hyperbox.plan.operations import Plan, Prepared
from hyperbox.plan.reconcile import UpOptions, orphans, reconcile_up, selected
from hyperbox.project.desired_spec import service_to_spec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from hyperbox.engine.api import Json
    from hyperbox.grammar.parse import Invocation


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


def preparer(session: Session, image_ids: Mapping[str, str]) -> Context:
    """Return the context in which a plan of this project is carried out."""
    from hyperbox.cli.compose_ports import add_address, port_assigner

    progress = step_progress(session.invocation)
    real_port = port_assigner(session)

    def prepare(service: str, ordinal: int, replaced: str) -> Prepared:
        wish = session.desired.services[service]
        inherited = anonymous_volumes(session, replaced) if replaced else {}
        rows = session.containers() if names_others(wish.definition) else []
        ids = {row.service: row.container_id for row in reversed(rows)}
        spec, files = service_to_spec(
            session.desired,
            wish,
            ordinal,
            image_ids.get(service, ""),
            real_port,
            inherited=inherited,
            container_ids=ids,
        )
        add_address(session, service, ordinal, spec)
        return Prepared(spec, tuple(files))

    known: dict[tuple[str, int], str] = {}

    def container_id(service: str, ordinal: int) -> str:
        if (service, ordinal) not in known:
            known.update({(row.service, row.ordinal): row.container_id for row in session.containers()})
        if (service, ordinal) not in known:
            raise ComposeError(f'service "{service}" has no container #{ordinal}')
        return known[service, ordinal]

    at_once = session.invocation.globals.get("parallel")
    limit = at_once if isinstance(at_once, int) and at_once > 0 else 16
    return Context(session.engine, prepare, container_id, progress.event, limit)


def carry_out(session: Session, plan: Plan, image_ids: Mapping[str, str] | None = None) -> None:
    """Execute a plan, or with --dry-run only show it."""
    context = preparer(session, image_ids or {})
    if not session.invocation.globals.get("dry-run"):
        execute(plan, context)
        return
    from hyperbox.plan.execute import WORDS

    for node in plan.nodes:
        begun, ended = WORDS[type(node.operation).__name__]
        for word, state in ((begun, "working"), (ended, "done")):
            if word:
                context.on_event(StepEvent(node.name, word, state))
    sys.stdout.write(plan.text())


def parse_scale(values: tuple[str, ...]) -> dict[str, int]:
    """Return --scale SERVICE=NUM as numbers. Raises ComposeError."""
    scale = {}
    for text in values:
        name, equals, count = text.partition("=")
        if not equals or not count.isdigit():
            raise ComposeError(
                f'invalid scale specifier "{text}": should be SERVICE=NUM' if not equals else f"invalid scale {text}"
            )
        scale[name] = int(count)
    return scale


def check_up_flags(invocation: Invocation) -> None:
    """Raise ComposeError for flags that don't go together, with docker compose's words."""
    flags, given = invocation.flags, invocation.given
    attaching = flags.get("attach") or flags.get("attach-dependencies") or flags.get("abort-on-container-exit")
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
    if flags.get("detach") and (
        flags.get("attach")
        or flags.get("attach-dependencies")
        or flags.get("abort-on-container-exit")
        or flags.get("abort-on-container-failure")
    ):
        raise ComposeError(
            "--detach cannot be combined with --abort-on-container-exit, --abort-on-container-failure, --attach or --attach-dependencies"
        )
    if flags.get("no-deps") and given.get("attach-dependencies"):
        raise ComposeError("--no-deps and --attach-dependencies are incompatible")
    if flags.get("watch"):
        raise UnsupportedError("up --watch is not supported yet: run `compose watch`")


def up_options(invocation: Invocation, image_ids: Mapping[str, str], *, start: bool) -> UpOptions:
    """Return how to reconcile, from the flags of up or create."""
    flags = invocation.flags
    recreate = "force" if flags.get("force-recreate") else "never" if flags.get("no-recreate") else "diverged"
    others = "force" if flags.get("always-recreate-deps") else "never" if flags.get("no-recreate") else "diverged"
    return UpOptions(
        services=tuple(invocation.arguments),
        no_deps=bool(flags.get("no-deps")),
        recreate=recreate,
        recreate_dependencies=others,
        start=start,
        renew_volumes=bool(flags.get("renew-anon-volumes")),
        remove_orphans=bool(flags.get("remove-orphans")),
        timeout=timeout_of(invocation),
        image_ids=image_ids,
    )


def converge(invocation: Invocation, *, start: bool) -> Session:
    """Bring the project to what its files want; returns the session for what follows."""
    scale = parse_scale(strings(invocation.flags.get("scale")))
    found = session(invocation, scale=scale, services=invocation.arguments)
    if not found.desired.services:
        raise ComposeError("no service selected")
    services = selected(found.desired, invocation.arguments, no_deps=bool(invocation.flags.get("no-deps")))
    image_ids = ensure_images(
        found,
        services,
        policy=str(invocation.flags.get("pull") or "") if invocation.given.get("pull") else "",
        quiet=bool(invocation.flags.get("quiet-pull")),
        build=bool(invocation.flags.get("build")),
        no_build=bool(invocation.flags.get("no-build")),
    )
    observed = found.observe()
    extra = orphans(found.desired, observed)
    if extra and not invocation.flags.get("remove-orphans"):
        names = " ".join(row.name for row in extra)
        warn(
            f"Found orphan containers ([{names}]) for this project. If you removed or renamed this service in your compose file, "
            "you can run this command with the --remove-orphans flag to clean it up."
        )
    plan = reconcile_up(found.desired, observed, up_options(invocation, image_ids, start=start))
    carry_out(found, plan, image_ids)
    return found


def up(invocation: Invocation) -> int:
    """`docker compose up`."""
    check_up_flags(invocation)
    flags = invocation.flags
    attached = not (
        flags.get("detach") or flags.get("wait") or flags.get("no-start") or invocation.globals.get("dry-run")
    )
    if attached:
        from hyperbox.cli.compose_foreground import foreground

        created = converge(invocation, start=False)
        return foreground(created, start=lambda: _start(created))
    found = converge(invocation, start=not flags.get("no-start"))
    if flags.get("wait") and not invocation.globals.get("dry-run"):
        from hyperbox.cli.compose_wait import wait_until_up

        timeout = flags.get("wait-timeout")
        wait_until_up(found, invocation.arguments, timeout if isinstance(timeout, int) else 0)
    return 0


def _start(found: Session) -> None:
    """Start what `converge` made."""
    options = up_options(found.invocation, {}, start=True)._replace(
        recreate="never", recreate_dependencies="never", remove_orphans=False
    )
    carry_out(found, reconcile_up(found.desired, found.observe(), options))


def create(invocation: Invocation) -> int:
    """`docker compose create`."""
    converge(invocation, start=False)
    return 0


def scale(invocation: Invocation) -> int:
    """`docker compose scale`."""
    counts = parse_scale(tuple(invocation.arguments))
    invocation.flags["scale"] = list(invocation.arguments)
    invocation.arguments[:] = list(counts)
    converge(invocation, start=True)
    return 0
