"""RUN as a node of the graph: its words, environment and mounts, with everything expanded that the Dockerfile reference expands."""

from __future__ import annotations

import posixpath

from hyperbox.build import graph
from hyperbox.build.dispatch_history import record
from hyperbox.build.dockerfile import DockerfileError
from hyperbox.build.stages import located
from hyperbox.go.units import parse_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.build.dockerfile import Instruction
    from hyperbox.build.instructions import Run
    from hyperbox.build.mounts import Mount
    from hyperbox.build.stages import Planner, Stage

PIPES = "/dev/pipes/"
SECRETS = "/run/secrets/"
AGENT_SOCKET = "/run/buildkit/ssh_agent."


async def plan_run(planner: Planner, stage: Stage, instruction: Instruction, step: Run) -> None:
    """Add a RUN to its stage. Raises LocatedError."""
    inputs: list[graph.Node] = [stage.node]
    mounts: list[graph.Mount] = []
    arguments = step.command
    hidden = tuple(mount.get("env") for mount in step.mounts if mount.kind == "secret" and mount.get("env"))
    name = planner.shown(instruction, stage, hidden)
    if step.shell:
        command, script = shell_command(step, instruction)
        arguments = (*stage.draft.shell, command)
        if script is not None:
            inline = graph.Copy((), (script,), "/", "", "0755", False, (), None)
            inputs.append(planner.unique(graph.Node(inline, (graph.SCRATCH,), "[internal] preparing inline document")))
            mounts.append(bind(PIPES, len(inputs) - 1))
        if step.heredocs and step.command[0] == instruction.rest and is_alone(step):
            name += f" ({planner.displayed(shown_script(step.heredocs[0].text), stage)})"
    for mount in step.mounts:
        mounts.append(await plan_mount(planner, stage, instruction, mount, inputs, len(mounts)))
    _check_network(planner, step.network)
    request = planner.request
    operation = graph.Run(
        arguments=tuple(arguments),
        environment=stage.environment.entries(),
        working_dir=stage.working_dir,
        user=str(stage.draft.config.get("User") or ""),
        mounts=tuple(mounts),
        network=step.network if step.network != "default" else request.network or "default",
        hosts=request.hosts,
        shm_size=request.shm_size,
        ulimits=tuple((limit.name, limit.soft, limit.hard) for limit in request.ulimits),
        cgroup_parent=request.cgroup_parent,
    )
    stage.node = planner.unique(
        graph.Node(
            operation,
            tuple(inputs),
            stage.vertex_name(name),
            instruction,
            ignore_cache=stage.ignore_cache,
            proxies=planner.proxies,
        )
    )
    record(planner, stage, f"RUN {history_text(stage, tuple(arguments))} # buildkit", layer=True)


def _check_network(planner: Planner, network: str) -> None:
    if network == "host" and planner.request.network != "host" and "network.host" not in planner.request.allow:
        raise DockerfileError("failed to load LLB: network.host is not allowed")


def is_alone(step: Run) -> bool:
    """Return whether the whole command is one here-document."""
    return len(step.heredocs) == 1 and len(step.command[0].split()) == 1


def shell_command(step: Run, instruction: Instruction) -> tuple[str, graph.Inline | None]:
    """Return the shell line of a RUN, and the script to be put beside it where its here-document is one ("#!")."""
    command = step.command[0]
    if not step.heredocs:
        return command, None
    if is_alone(step):
        document = step.heredocs[0]
        if document.text.startswith("#!"):
            return PIPES + document.name, graph.Inline(document.name, document.text)
        return document.text, None
    lines = instruction.original.split("\n")[1:]
    parts = [command]
    for document in step.heredocs:  # as they are written, tabs included, each closed by its bare name
        count = document.text.count("\n")
        parts += [*lines[:count], document.name]
        lines = lines[count + 1 :]
    return "\n".join(parts), None


def shown_script(text: str) -> str:
    """Return the beginning of a script as a step's name shows it."""
    lines = text.rstrip("\n").split("\n")
    return lines[0] if len(lines) == 1 else f"{lines[0]}..."


def history_text(stage: Stage, arguments: tuple[str, ...]) -> str:
    """Return a command as the history has it: the declared arguments with their values before it."""
    values: dict[str, str] = {}
    for name, value in stage.arguments:
        values[name] = stage.environment.values.get(name, value or "")
    words = [f"|{len(values)}", *(f"{name}={value}" for name, value in values.items())] if values else []
    return " ".join([*words, *arguments])


def bind(target: str, input: int, source: str = "/", *, writable: bool = False) -> graph.Mount:
    """Return a bind mount of an input's files."""
    return graph.Mount("bind", target, source, input, writable, "", "", 0, 0, 0, 0, False, "")


class MountWords:
    """The options of one --mount with their variables replaced."""

    __slots__ = ("instruction", "mount", "planner", "stage")

    def __init__(self, planner: Planner, stage: Stage, instruction: Instruction, mount: Mount) -> None:
        self.planner = planner
        self.stage = stage
        self.instruction = instruction
        self.mount = mount

    def text(self, name: str) -> str:
        """Return an option, "" where it was not given."""
        return self.planner.word(self.mount.get(name), self.stage.environment.values, self.instruction)

    def number(self, name: str, default: int, base: int = 10) -> int:
        """Return a number. Raises LocatedError."""
        text = self.text(name)
        try:
            return int(text, base) if text else default
        except ValueError:
            raise located(f"invalid value {text} for {name}", self.instruction) from None

    def target(self) -> str:
        """Return the target as an absolute path, "" where it was not given. Raises LocatedError for the root itself."""
        text = self.text("target")
        target = posixpath.normpath(posixpath.join(self.stage.working_dir, text)) if text else ""
        if self.mount.kind in ("bind", "cache", "tmpfs") and not target.strip("/"):
            raise located(f'invalid mount target "{target or "/"}"', self.instruction)
        return target


async def plan_mount(
    planner: Planner, stage: Stage, instruction: Instruction, mount: Mount, inputs: list[graph.Node], index: int
) -> graph.Mount:
    """Return one --mount of a RUN, its files' node added to `inputs`. Raises LocatedError."""
    words = MountWords(planner, stage, instruction, mount)
    target, identity, position, writable = words.target(), words.text("id"), -1, False
    if mount.kind == "bind" or (mount.kind == "cache" and mount.get("from") and not _begins_empty(mount, words)):
        position = len(inputs)
        inputs.append(await mounted_node(planner, stage, instruction, mount.get("from")))
    if mount.kind == "bind":
        writable = mount.flag("readwrite") or mount.get("readonly") == "false"
    elif mount.kind == "cache":
        identity = identity or target
        writable = not mount.flag("readonly") and mount.get("readwrite") != "false"
    elif mount.kind == "secret":
        identity = identity or posixpath.basename(words.text("source") or target)
        if not identity:
            raise located("empty secret identifier", instruction)
        target = target or ("" if mount.get("env") else SECRETS + posixpath.basename(identity))
    elif mount.kind == "ssh":
        identity = identity or "default"
        target = target or f"{AGENT_SOCKET}{index}"
    modes = {"cache": 0o755, "secret": 0o400, "ssh": 0o600}
    return graph.Mount(
        mount.kind,
        target,
        words.text("source") or "/",
        position,
        writable,
        identity,
        mount.get("sharing", "shared") if mount.kind == "cache" else "",
        words.number("uid", 0),
        words.number("gid", 0),
        words.number("mode", modes.get(mount.kind, 0), 8),
        _size(words.text("size"), instruction),
        mount.flag("required"),
        mount.get("env"),
    )


def _begins_empty(mount: Mount, words: MountWords) -> bool:
    """Return whether a cache begins as an empty folder whatever it is from: of a whole root with an owner or a mode BuildKit takes neither."""
    return not words.text("source").strip("/") and any(mount.get(name) for name in ("uid", "gid", "mode"))


def _size(text: str, instruction: Instruction) -> int:
    """Return the bytes of a tmpfs's size such as "64m"."""
    if not text:
        return 0
    try:
        return parse_bytes(text)
    except ValueError as error:
        raise located(str(error), instruction) from None


async def mounted_node(planner: Planner, stage: Stage, instruction: Instruction, name: str) -> graph.Node:
    """Return the node whose files a mount shows: a stage's, an image's, or the build context's."""
    if name:
        return await planner.node_of(name, stage, instruction)
    files = planner.unique(graph.Node(graph.Files(""), (), "[internal] load build context"))
    return planner.unique(graph.Node(graph.Tree(""), (files,), "[internal] load build context"))
