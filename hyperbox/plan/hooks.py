"""Running a service's hooks (`post_start`, `pre_stop`) in one of its containers, to their end."""

from __future__ import annotations

from hyperbox.errors import ComposeError, EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hyperbox.compose.model import Json
    from hyperbox.engine.api import Engine
    from hyperbox.plan.operations import Hooks

CANNOT_RUN = (126, 127)  # the codes of commands that are not there, or can't be executed


def run_hooks(
    engine: Engine, container_id: str, service: str, hooks: Hooks, show: Callable[[bytes], object] | None
) -> None:
    """Run the hooks in order, and give what they print to `show`.

    Raises ComposeError naming the service for one that doesn't exit with 0; those after it don't run.
    """
    for hook in hooks:
        code = _run(engine, container_id, hook, show)
        if code != 0:
            raise ComposeError(f"{service} hook exited with status {code}")


def exec_config(hook: Json) -> Json:
    """Return what a hook is for `exec_create`."""
    environment = hook.get("environment")
    rows = environment if isinstance(environment, dict) else {}
    return {
        "Cmd": hook.get("command") or [],
        "User": hook.get("user") or "",
        "Privileged": hook.get("privileged") is True,
        "Env": [f"{name}={value}" for name, value in rows.items() if value is not None],
        "WorkingDir": hook.get("working_dir") or "",
        "AttachStdout": True,
        "AttachStderr": True,
    }


def _run(engine: Engine, container_id: str, hook: Json, show: Callable[[bytes], object] | None) -> int:
    exec_id = engine.exec_create(container_id, exec_config(hook))
    try:
        attachment = engine.exec_start(exec_id)
    except EngineError as error:
        if error.exit_code not in CANNOT_RUN:
            raise
        if show is None:  # as docker compose has it: whoever does not listen does not hear of it
            return 0
        show(f"{error.message}\n".encode("utf-8", "surrogateescape"))
        return error.exit_code
    assert attachment is not None
    while (chunks := attachment.read()) is not None:
        for _, data in chunks:
            if show is not None:
                show(data)
    return attachment.wait()
