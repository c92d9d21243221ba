"""`docker buildx bake` (`docker bake`): what bake files describe, shown with --print and --list, and built."""

from __future__ import annotations

import os
import sys
import time

from hyperbox.bake import entitlements, reading
from hyperbox.bake.config import choose
from hyperbox.bake.entries import canonical_attestation, fields_of
from hyperbox.bake.errors import BakeError
from hyperbox.bake.listing import table_of_targets, table_of_variables, targets_json, variables_json
from hyperbox.bake.model import group_json, target_json
from hyperbox.build.api import Status, Vertex
from hyperbox.build.progress import excerpt
from hyperbox.cli.bake_requests import check_target, clean_context
from hyperbox.cli.build import progress_mode
from hyperbox.cli.build_inputs import is_remote
from hyperbox.cli.build_progress import printer
from hyperbox.errors import HyperBoxError, UnsupportedError
from hyperbox.go.text import TRUE, html_escaped
from hyperbox.grammar.values import words_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hyperbox.bake.config import Chosen
    from hyperbox.bake.definition import Config
    from hyperbox.bake.errors import File
    from hyperbox.bake.model import Target
    from hyperbox.cli.build_progress import Printer
    from hyperbox.grammar.parse import Invocation

LOADING = "[internal] load local bake definitions"
SECONDS = (
    60  # that the evaluation of definitions may take; a regular expression that goes back and forth could take for ever
)


def bake(invocation: Invocation) -> int:
    """`docker buildx bake`."""
    files: list[File] = []
    try:
        return _bake(invocation, files)
    except BakeError as error:
        shown = reading.excerpt_of(error, files)
        lead = f"{excerpt(*shown)}\n" if shown is not None else ""
        raise HyperBoxError(f"{lead}ERROR: {error.message}") from None


def _bake(invocation: Invocation, files: list[File]) -> int:
    flags = invocation.flags
    names = list(invocation.arguments)
    if names and is_remote(names[0]):
        raise UnsupportedError(f"ERROR: HyperBox reads bake files of this machine only: fetch {names[0]} first")
    granted = entitlements.parse(words_of(flags["allow"]))
    granted.reads.append(os.getcwd())
    granted.writes.append(os.getcwd())
    if flags["print"] and flags["list"]:
        raise HyperBoxError("ERROR: --print and --list are mutually exclusive")
    if flags["print"] or flags["list"]:
        config = _load(invocation, files, None)
        if flags["list"]:
            return _list(str(flags["list"]), config)
        chosen = select(invocation, config, granted)
        print(_json({"group": _groups(chosen), "target": _targets(chosen)}), flush=True)
        return 0
    from hyperbox.cli.bake_build import build_targets

    return build_targets(invocation, granted, lambda shown: _load(invocation, files, shown))


def select(invocation: Invocation, config: Config, granted: entitlements.Entitlements) -> Chosen:
    """Return the targets and groups of a command, checked as far as docker checks what it shows. Raises BakeError, HyperBoxError."""
    chosen = choose(config, list(invocation.arguments) or ["default"], overrides(invocation), granted, os.environ)
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    for target in chosen.targets.values():
        if epoch and "SOURCE_DATE_EPOCH" not in target.pairs("args"):
            target.values["args"] = {**target.pairs("args"), "SOURCE_DATE_EPOCH": epoch}
        check_target(target, os.environ)
        clean_context(target)
    return chosen


def overrides(invocation: Invocation) -> list[str]:
    """Return what --set says, and the flags that stand for it."""
    flags = invocation.flags
    words = words_of(flags["set"])
    words += ["*.push=true"] if flags["push"] else []
    words += ["*.load=true"] if flags["load"] else []
    method = called(invocation)
    words += [f"*.call={method}"] if method != "build" else []
    for name in ("no-cache", "pull"):
        if name in invocation.given:
            words.append(f"*.{name}={'true' if flags[name] else 'false'}")
    for name in ("sbom", "provenance"):
        if value := str(flags[name] or ""):
            words.append(f"*.attest={canonical_attestation(name, value)}")
    return words


def called(invocation: Invocation) -> str:
    """Return the method of --call by itself."""
    given = "check" if invocation.flags["check"] else str(invocation.flags["call"] or "build")
    method = fields_of(given)[0].removeprefix("type=")
    return "lint" if method == "check" else method


def _load(invocation: Invocation, files: list[File], shown: Printer | None) -> Config:
    """Read and evaluate the files, with what is read shown. Raises BakeError."""
    mode = progress_mode(str(invocation.flags["progress"]))
    if mode == "none":
        raise HyperBoxError("ERROR: invalid progress mode none")
    own = shown or printer(mode, sys.stderr, None, quiet=False)
    names = words_of(invocation.flags["file"])
    title = LOADING
    if not names and (given := reading.files_of_environment(os.environ, os.getcwd())):
        names, title = given, f"{LOADING} from BUILDX_BAKE_FILE env"
    started = time.time()
    own.event(Vertex("bake", title, started=started))

    def on_read(name: str, size: int) -> None:
        now = time.time()
        total = 0 if name == "from stdin" else size
        own.event(Status("bake", f"reading {name}", size, total, now, now, now))

    try:
        files += reading.read_files(names, os.getcwd(), sys.stdin.buffer.read, on_read)
    finally:
        own.event(Vertex("bake", title, started=started, completed=time.time()))
        if shown is None:
            own.close()
    return evaluate(files)


def evaluate(files: Sequence[File]) -> Config:
    """Return what the files define together, in this environment. Raises BakeError."""
    with _Alarm():
        return reading.configure(files, variables(os.environ), builtin(), os.getcwd())


def entry_names(start: str) -> list[str]:
    """Return the groups and targets, for completion, that the files of the default names in this folder define. Raises BakeError, OSError."""
    if not any(os.path.exists(name) for name in reading.DEFAULT_FILES):
        return []
    config = evaluate(reading.read_files([], os.getcwd(), bytes, lambda _name, _size: None))
    names = [each.name for each in config.groups] + [each.name for each in config.targets]
    return [name for name in names if name.startswith(start)]


def variables(environment: Mapping[str, str]) -> Mapping[str, str]:
    """Return the variables of the environment that definitions may read."""
    disabled = environment.get("BUILDX_BAKE_DISABLE_VARS_ENV_LOOKUP", "") in TRUE
    return {} if disabled else environment


def builtin() -> dict[str, str]:
    """Return the variables that every definition has."""
    from hyperbox.image.reference import platform_architecture

    return {"BAKE_CMD_CONTEXT": "cwd://", "BAKE_LOCAL_PLATFORM": f"linux/{platform_architecture()}"}


class _Alarm:
    """Ends an evaluation that takes too long, where the system has alarms. Definitions are allowed deep, not endless, recursion."""

    def __enter__(self) -> None:
        self.depth = sys.getrecursionlimit()
        sys.setrecursionlimit(max(self.depth, 8000))
        if sys.platform != "win32":
            import signal

            self.before = signal.signal(signal.SIGALRM, self.ring)
            signal.alarm(SECONDS)

    def __exit__(self, *_: object) -> None:
        sys.setrecursionlimit(self.depth)
        if sys.platform != "win32":
            import signal

            signal.alarm(0)
            signal.signal(signal.SIGALRM, self.before)

    def ring(self, *_: object) -> None:
        raise BakeError(f"HyperBox does not evaluate these definitions: it takes more than {SECONDS} seconds")


def _groups(chosen: Chosen) -> dict[str, object]:
    return {name: group_json(group) for name, group in sorted(chosen.groups.items())}


def _targets(chosen: Chosen) -> dict[str, object]:
    return {name: target_json(target) for name, target in sorted(chosen.targets.items())}


def _json(value: Mapping[str, object]) -> str:
    from hyperbox.cli.output import indented_json

    return html_escaped(
        indented_json({name: each for name, each in value.items() if each or name != "group"}, indent="  ")
    )


def _list(word: str, config: Config) -> int:
    kind, form = _wanted_list(word)
    if kind == "targets":
        text = targets_json(config) if form == "json" else table_of_targets(config)
    else:
        text = variables_json(config) if form == "json" else table_of_variables(config)
    if isinstance(text, str):
        from hyperbox.cli.output import tabulate

        sys.stdout.write(tabulate(text, min_width=1, padding=1, tabs=True))
    else:
        from hyperbox.cli.output import indented_json

        print(html_escaped(indented_json(text, indent="  ")) if text is not None else "null")
    return 0


def _wanted_list(word: str) -> tuple[str, str]:
    """Return what --list asks for: (targets or variables, table or json). Raises BakeError."""
    fields = fields_of(word)
    kind = word if fields == [word] and not word.startswith("type=") else ""
    form = ""
    for field in fields if not kind else []:
        name, equals, value = field.partition("=")
        if not equals:
            raise BakeError(f"invalid value {field}")
        if name.strip().lower() == "type":
            kind = value
        elif name.strip().lower() == "format":
            form = value
        else:
            raise BakeError(f"unexpected key '{name.strip().lower()}' in '{field}'")
    if kind not in ("targets", "variables"):
        raise BakeError(f'invalid list type "{kind}"')
    if form not in ("", "table", "json"):
        raise BakeError(f'invalid list format "{form}"')
    return kind, form or "table"


def sorted_targets(chosen: Chosen) -> Sequence[Target]:
    """Return the targets by name."""
    return [target for _, target in sorted(chosen.targets.items())]
