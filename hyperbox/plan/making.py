"""Making containers and networks for the steps of a plan, beside other commands that make the same."""

from __future__ import annotations

from typing import NamedTuple

from hyperbox.errors import ComposeError, Conflict, EngineError, InvalidParameter, NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hyperbox.engine.api import Engine
    from hyperbox.plan import operations as op
    from hyperbox.plan.execute import Context
    from hyperbox.project.desired_mounts import FileWish

    Wanted = Callable[[], bool] | None

# what tells that another command of the same project has made the same
PROJECT_LABELS = ("com.docker.compose.project",)
CONTAINER_LABELS = (
    "com.docker.compose.project",
    "com.docker.compose.service",
    "com.docker.compose.container-number",
    "com.docker.compose.config-hash",
)


class Made(NamedTuple):
    """A container that a step made ("" where it made none), and the engine's warnings of it; whether the step's end is told."""

    container_id: str = ""
    warnings: tuple[str, ...] = ()
    told: bool = True


def create(context: Context, prepared: op.Prepared, wanted: Wanted = None) -> Made:
    """Make a container, with the files in it that do not wait for its start; it goes again where it turns out not to be `wanted`."""
    if context.on_warning:
        for text in prepared.warnings:
            context.on_warning(text)
    spec = prepared.spec
    if prepared.files and not spec.host_config.get("ReadonlyRootfs"):  # such a container is made, but not started
        spec.archive = files_archive(prepared.files)
    try:
        answer = context.engine.container_create(spec)
    except Conflict:
        other = made_by_another(context.engine, prepared)
        return Made(other if wanted is None or wanted() else "")
    if wanted is not None and not wanted():
        context.engine.container_remove(str(answer["Id"]), force=True, volumes=True)
        return Made()
    told = answer.get("Warnings")
    return Made(str(answer["Id"]), tuple(str(text) for text in (told if isinstance(told, list) else ())))


def create_network(engine: Engine, body: dict[str, object]) -> None:
    """Make a network; one that another command of the same project has just made is as good."""
    try:
        engine.network_create(body)
    except Conflict:
        present = engine.network_inspect(str(body["Name"]))["Labels"]
        if not has_all(present, body.get("Labels"), PROJECT_LABELS):
            raise
    except EngineError as error:
        raise ComposeError(f"failed to create network {body['Name']}: {error.told}", hint=error.hint) from None


def made_by_another(engine: Engine, prepared: op.Prepared) -> str:
    """Return the id of the container that another command of the same project has just made alike. Raises Conflict where it is none."""
    spec = prepared.spec
    try:
        present = engine.container_inspect(spec.name)
    except NotFound:
        return str(engine.container_create(spec)["Id"])
    config = present["Config"]
    assert isinstance(config, dict)
    if not has_all(config.get("Labels"), spec.config.get("Labels"), CONTAINER_LABELS):
        engine.container_create(spec)  # raises docker's words again
    return str(present["Id"])


def has_all(present: object, wanted: object, names: tuple[str, ...]) -> bool:
    """Return whether labels agree in what they say of a project, as far as it is said at all."""
    if not isinstance(present, dict) or not isinstance(wanted, dict):
        return False
    return all(name in wanted and present.get(name) == wanted[name] for name in names)


def files_archive(wishes: tuple[FileWish, ...]) -> bytes:
    """Return a tar of the configs and secrets whose content is given."""
    import io
    import tarfile
    import time

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for wish in wishes:
            data = wish.content.encode()
            member = tarfile.TarInfo(wish.target.lstrip("/"))
            member.size, member.mode, member.mtime = len(data), wish.mode, int(time.time())
            member.uid, member.gid = wish.uid, wish.gid
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def recreate(context: Context, operation: op.RecreateContainer, wanted: Wanted) -> Made:
    """Replace a container and return the new one; the old one stays where that turns out not to be `wanted`.

    That one is made under another name first, so that a failure or a kill leaves the old one.
    """
    engine = context.engine
    replaced = operation.container_id if operation.inherit else ""
    prepared = context.prepare(operation.service, operation.ordinal, replaced)
    spec = prepared.spec
    name = spec.name
    old_name = str(engine.container_inspect(operation.container_id)["Name"]).lstrip("/")
    spec.name = f"{operation.container_id[:12]}_{name}"
    labels = spec.config["Labels"]
    assert isinstance(labels, dict)
    labels["com.docker.compose.replace"] = old_name
    made = create(context, prepared, wanted)
    if not made.container_id:
        return made
    engine.container_stop(operation.container_id, timeout=operation.timeout)
    engine.container_remove(operation.container_id, force=True, volumes=not operation.inherit)
    rename(engine, made.container_id, name)
    return made


def rename(engine: Engine, container_id: str, name: str) -> None:
    """Give a container its name, unless another command, which ends what it takes for interrupted, has just done so."""
    try:
        engine.container_rename(container_id, name)
    except InvalidParameter:
        if engine.container_inspect(container_id)["Name"] != f"/{name}":
            raise
