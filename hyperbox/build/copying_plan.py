"""COPY and ADD as nodes of the graph: where each source comes from, and the destination as an absolute path."""

from __future__ import annotations

import posixpath

from hyperbox.build import graph
from hyperbox.build.dispatch_history import record
from hyperbox.build.stages import located
from hyperbox.image.dockerfile_words import WordError, expand_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.build.dockerfile import Instruction
    from hyperbox.build.instructions import Copy
    from hyperbox.build.stages import Planner, Stage


async def plan_copy(planner: Planner, stage: Stage, instruction: Instruction, step: Copy) -> None:
    """Add a COPY or ADD to its stage. Raises LocatedError."""
    values = stage.environment.values
    sources = [planner.word(source, values, instruction) for source in step.sources]
    given = planner.word(step.destination, values, instruction)
    inputs: list[graph.Node] = [stage.node]
    plans = [await _source(planner, stage, instruction, step, source, inputs) for source in sources]
    chown, chmod = planner.word(step.chown, values, instruction), planner.word(step.chmod, values, instruction)
    operation = graph.Copy(
        sources=tuple(plans),
        inline=tuple(_inline(planner, stage, instruction, step)),
        destination=destination_path(stage.working_dir, given),
        chown=chown,
        chmod=_mode(chmod, instruction),
        parents=step.parents,
        exclude=tuple(planner.word(pattern, values, instruction) for pattern in step.exclude),
        created=planner.epoch,
    )
    name = stage.vertex_name(planner.shown(instruction, stage))
    node = graph.Node(operation, tuple(inputs), name, instruction, ignore_cache=stage.ignore_cache)
    stage.node = planner.unique(node)
    flags = "".join(
        [
            " --parents" if step.parents else "",
            f" --chown={chown}" if chown else "",
            f" --chmod={chmod}" if chmod else "",
        ]
    )
    words = [*sources, *(f"<<{each.name}" for each in step.heredocs), given]
    record(planner, stage, f"{instruction.name}{flags} {' '.join(words)} # buildkit", layer=True)


def destination_path(working_dir: str, given: str) -> str:
    """Return the destination as an absolute path; a "/" at its end says that it is a folder."""
    path = posixpath.normpath("/" + posixpath.join(working_dir, given).lstrip("/"))
    if path != "/" and (given.endswith("/") or given in (".", "") or given.endswith("/.")):
        return path + "/"
    return path


def _mode(text: str, instruction: Instruction) -> str:
    """Return --chmod checked: octal digits, or the symbolic form of chmod(1)."""
    import re

    if not text:
        return ""
    if re.fullmatch(r"0?[0-7]{1,4}", text):
        return text
    clause = r"[ugoa]*([-+=]([ugo]|[rwxXst]*))+"
    if re.fullmatch(rf"{clause}(,{clause})*", text):
        return text
    if not text[0].isdigit():
        raise located("invalid syntax", instruction)
    raise located(f"invalid chmod parameter: '{text}'. it should be octal string and between 0 and 07777", instruction)


async def _source(
    planner: Planner, stage: Stage, instruction: Instruction, step: Copy, source: str, inputs: list[graph.Node]
) -> graph.From:
    if step.add and is_git(source):
        return _add_input(planner, inputs, _clone(source, step, instruction), instruction, "", unpack=False)
    if step.add and source.startswith(("http://", "https://")):
        name = _download_name(source, step.destination, instruction)
        download = graph.Download(source, name, _checksum(step, instruction))
        return _add_input(planner, inputs, download, instruction, name, unpack=bool(step.unpack))
    if step.checksum:
        raise located("checksum requires HTTP(S) or Git sources", instruction)
    if step.source_stage:
        node = await planner.node_of(step.source_stage, stage, instruction)
        if isinstance(node.operation, graph.Tree):  # a named context: its files, not a layer of them
            node = node.inputs[0]
    else:
        node = planner.unique(graph.Node(graph.Files(""), (), "[internal] load build context"))
    if node not in inputs[1:]:
        inputs.append(node)
    unpack = step.add and step.unpack is not False
    return graph.From(inputs.index(node, 1), source if step.parents else clean(source), unpack)


def clean(path: str) -> str:
    """Return a source as an absolute path inside its root; nothing leads out of it."""
    return posixpath.normpath("/" + path.lstrip("/"))


def _add_input(
    planner: Planner,
    inputs: list[graph.Node],
    operation: graph.Operation,
    instruction: Instruction,
    name: str,
    *,
    unpack: bool,
) -> graph.From:
    shown = operation.url if isinstance(operation, (graph.Download, graph.Clone)) else ""
    inputs.append(planner.unique(graph.Node(operation, (), shown, instruction)))
    return graph.From(len(inputs) - 1, f"/{name}", unpack)


def _checksum(step: Copy, instruction: Instruction) -> str:
    if not step.checksum:
        return ""
    algorithm, _, digits = step.checksum.partition(":")
    if not algorithm or not digits:
        raise located("invalid checksum digest format", instruction)
    if algorithm not in ("sha256", "sha384", "sha512"):
        raise located("unsupported digest algorithm", instruction)
    if algorithm != "sha256":
        raise located(f"checksums of {algorithm} are not supported, only sha256", instruction)
    if len(digits) != 64:
        raise located("invalid checksum digest length", instruction)
    return step.checksum


def _download_name(url: str, destination: str, instruction: Instruction) -> str:
    """Return the file's name of a URL: its path's last part."""
    import urllib.parse

    name = posixpath.basename(urllib.parse.unquote(urllib.parse.urlsplit(url).path))
    if name in ("", ".", ".."):
        if destination.endswith("/"):
            raise located(f"cannot determine filename from URL: {url}", instruction)
        name = "download"
    return name.replace("/", "")


def is_git(source: str) -> bool:
    """Return whether a source of ADD, or a context, is a git repository."""
    plain = source.partition("#")[0]
    if plain.startswith(("git://", "git@", "ssh://", "github.com/")):
        return True
    return plain.startswith(("http://", "https://")) and plain.endswith(".git")


def _clone(source: str, step: Copy, instruction: Instruction) -> graph.Clone:
    url, _, fragment = source.partition("#")
    reference, _, subfolder = fragment.partition(":")
    if url.startswith("github.com/"):
        url = f"https://{url}"
    return graph.Clone(url, reference, subfolder, step.keep_git_dir, step.checksum)


def _inline(planner: Planner, stage: Stage, instruction: Instruction, step: Copy) -> list[graph.Inline]:
    found = []
    for document in step.heredocs:
        text = document.text
        if document.expand:
            try:
                text = expand_text(text, stage.environment.values, escape=planner.document.escape)
            except WordError as error:
                raise located(f"failed to process {document.name}: {error}", instruction) from None
        found.append(graph.Inline(document.name, text))
    return found
