"""Building the targets of bake files: side by side, each when those on which it builds are done."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

from hyperbox.bake import entitlements
from hyperbox.bake.errors import BakeError
from hyperbox.bake.model import group_json, target_json
from hyperbox.build.api import BuildFailed, Vertex
from hyperbox.build.api import build as run_build
from hyperbox.cli import build_outputs, builder_store
from hyperbox.cli.bake import called, select, sorted_targets
from hyperbox.cli.bake_requests import refuse, request_of
from hyperbox.cli.build import NO_OUTPUT, check_builder, progress_mode
from hyperbox.cli.build_order import build_in_order
from hyperbox.cli.build_progress import NoProgress, cancel, printer
from hyperbox.cli.compose_build import renamed
from hyperbox.errors import EngineError, ExitStatus, HyperBoxError, NotFound
from hyperbox.go.text import FALSE, TRUE, invalid_syntax, quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hyperbox.bake.config import Chosen
    from hyperbox.bake.definition import Config
    from hyperbox.bake.entitlements import Entitlements
    from hyperbox.bake.model import Target
    from hyperbox.build.api import BuildRequest, BuildResult, Event
    from hyperbox.cli.build_call import Call
    from hyperbox.cli.build_progress import Printer
    from hyperbox.cli.builder_store import Builder
    from hyperbox.grammar.parse import Invocation

    Json = dict[str, object]

AT_ONCE = 4  # builds; the steps of each run side by side as well


def build_targets(invocation: Invocation, granted: Entitlements, load: Callable[[Printer], Config]) -> int:
    """Build what a command names; `load` gives the definitions, with what is read shown. Raises BakeError, HyperBoxError."""
    builder = check_builder(invocation)
    mode = progress_mode(str(invocation.flags["progress"]))
    shown = printer(mode, sys.stderr, (builder.name, builder.driver), quiet=False)
    if mode == "tty" and not sys.stderr.isatty():
        raise HyperBoxError("ERROR: failed to get console: provided file is not a console")
    try:
        chosen = select(invocation, load(shown), granted)
        for target in sorted_targets(chosen):
            refuse(target, builder)
        _ask(chosen, granted, shown)
        if any(target.text("call") not in (None, "build") for target in chosen.targets.values()):
            shown.close()
            shown = NoProgress()
            return _call(invocation, chosen, builder)
        results = _Run(invocation, chosen, builder, shown).run()
    except KeyboardInterrupt:
        cancel(shown)
        raise HyperBoxError("ERROR: failed to solve: Canceled: context canceled", exit_code=130) from None
    finally:
        shown.close()
    _report(invocation, chosen, builder, results)
    return 0


def _ask(chosen: Chosen, granted: Entitlements, shown: Printer) -> None:
    """Ask for what the definitions do beyond their own folder and was not granted. Raises BakeError where it is not given."""
    found = entitlements.missing(chosen.targets.values(), granted, os.getcwd())
    setting = os.environ.get("BUILDX_BAKE_ENTITLEMENTS_FS")
    if setting is not None and setting not in (*TRUE, *FALSE):
        reason = invalid_syntax("ParseBool", setting)
        raise BakeError(f"failed to parse BUILDX_BAKE_ENTITLEMENTS_FS value {quote(setting)}: {reason}")
    asks_for_files = bool(found.files) and setting not in FALSE
    if not found.always and not asks_for_files:
        return
    shown.close()
    terminal = sys.stdin.isatty()
    arguments = [os.path.basename(sys.argv[0]), *sys.argv[1:]]
    sys.stderr.write(entitlements.explain(found, arguments, terminal=terminal))
    if asks_for_files and setting is None:
        sys.stderr.write("To disable filesystem entitlements checks, you can set BUILDX_BAKE_ENTITLEMENTS_FS=0 .\n\n")
    if terminal:
        sys.stderr.write("Do you want to grant requested privileges and continue? [y/N] ")
        sys.stderr.flush()
        if sys.stdin.readline().strip().lower() == "y":
            return
    raise BakeError("additional privileges requested")


class _Run:
    """One run of several builds."""

    def __init__(self, invocation: Invocation, chosen: Chosen, builder: Builder, shown: Printer) -> None:
        self.invocation = invocation
        self.targets = chosen.targets
        self.builder = builder
        self.shown = shown
        self.lock = threading.Lock()
        self.images: dict[str, str] = {}
        self.results: dict[str, BuildResult] = {}

    def run(self) -> dict[str, BuildResult]:
        """Build all targets; after a failure no new one is begun. Raises HyperBoxError with docker's closing lines."""
        from hyperbox.cli.connect import native_engine
        from hyperbox.cli.context_store import check_endpoint

        check_endpoint(self.invocation)
        builder_store.set_status(self.invocation, self.builder, "running")
        builder_store.note_activity(self.invocation, self.builder)
        self.engine = native_engine()
        waits = {name: linked_by(target.pairs("contexts")) for name, target in sorted(self.targets.items())}
        with ThreadPoolExecutor(AT_ONCE) as pool:
            failure = build_in_order(pool, waits, self._build, self._built)
        self._forget_linked()
        if failure is not None:
            raise failure
        return self.results

    def _built(self, name: str, result: BuildResult) -> None:
        self.results[name] = result
        self.images[name] = result.image_id

    def _build(self, name: str) -> BuildResult:
        """Build one target. Raises HyperBoxError."""
        several = len(self.targets) > 1
        needed = any(name in linked_by(other.pairs("contexts")) for other in self.targets.values())
        lead = f"target {name}: " if several else ""
        try:
            request = request_of(self.invocation, self.targets[name], self.builder, self.images, needed=needed)
        except HyperBoxError as error:
            message = error.message.removeprefix("ERROR: ").removeprefix("failed to build: ")
            raise HyperBoxError(f"ERROR: {lead}{message}", exit_code=error.exit_code) from None

        hidden: set[str] = set()  # the export of an image that is made only for others to build on

        def show(event: Event) -> None:
            if self.targets[name].linked and isinstance(event, Vertex) and event.name == "exporting to image":
                hidden.add(event.digest)
            if (event.digest if isinstance(event, Vertex) else event.vertex) in hidden:
                return
            with self.lock:
                self.shown.event(renamed(name, event, several=several))

        try:
            return run_build(self.engine.roots, request, show)
        except BuildFailed as error:
            excerpt = error.excerpt.rstrip("\n") + "\n" if error.excerpt else ""
            raise HyperBoxError(f"{excerpt}ERROR: {lead}{error.message}", exit_code=error.exit_code) from None
        except EngineError as error:
            raise HyperBoxError(f"ERROR: {lead}{error.message}", exit_code=error.exit_code) from None

    def _forget_linked(self) -> None:
        """Remove the images that were made only for others to build on: what they hold stays in the cache."""
        kept = {
            image for name, image in self.images.items() if keeps_image(self.targets[name].linked, self.results[name])
        }
        for image in {image for name, image in self.images.items() if self.targets[name].linked} - kept:
            try:
                if not self.engine.image_inspect(image).get("RepoTags"):
                    self.engine.image_remove(image, prune=False)
            except NotFound:
                pass
            except EngineError:
                pass  # a container or another image has it meanwhile


def keeps_image(linked: bool, result: BuildResult) -> bool:
    """Return whether a target's image is there for itself."""
    return not linked and bool(result.image_id)


def linked_by(contexts: Mapping[str, str]) -> set[str]:
    """Return the targets that are contexts of another."""
    return {location.removeprefix("target:") for location in contexts.values() if location.startswith("target:")}


def _report(invocation: Invocation, chosen: Chosen, builder: Builder, results: Mapping[str, BuildResult]) -> None:
    """Say where results are not kept, and write --metadata-file."""
    nowhere = [target for target in sorted_targets(chosen) if not target.entries("output")]
    if nowhere and not builder.loads:
        print(f"WARNING: {NO_OUTPUT}", file=sys.stderr)
    path = str(invocation.flags["metadata-file"] or "")
    if not path:
        return
    from hyperbox.cli.output import indented_json

    facts: Json = {}
    for name, result in sorted(results.items()):
        shown = result if not chosen.targets[name].linked else result._replace(image_id="", names=())
        facts[name] = build_outputs.metadata(shown, build_outputs.new_reference(builder))
    build_outputs.write_metadata(path, indented_json(facts, indent="  ", sort_keys=True))


def _call(invocation: Invocation, chosen: Chosen, builder: Builder) -> int:
    """Say of each target what --call asks for. Raises HyperBoxError."""
    from hyperbox.cli.build_call import call, read_call

    asked = read_call("check" if invocation.flags["check"] else str(invocation.flags["call"] or "build"))
    code = 0
    found: Json = {}
    images = dict.fromkeys(chosen.targets, "")
    for place, target in enumerate(sorted_targets(chosen)):
        wanted = asked._replace(name=target.text("call") or called(invocation))
        request = request_of(invocation, target, builder, images, needed=False)
        if not asked.as_json:
            description = f"{target.text('description')}\n" if target.text("description") else ""
            print(("\n" if place else "") + f"{target.name}\n{description}", flush=True)
        try:
            as_text = not asked.as_json
            code = (
                call(wanted, request, NoProgress()) if as_text else _call_json(wanted, request, found, target)
            ) or code
        except ExitStatus as status:
            code = status.exit_code
        except HyperBoxError as error:
            print(f"error: {error.message.removeprefix('ERROR: ')}", flush=True)
            code = 1
    if asked.as_json:
        from hyperbox.cli.output import indented_json

        groups = {name: group_json(group) for name, group in sorted(chosen.groups.items())}
        print(indented_json({"group": groups, "target": found}, indent="  "))
    if code:
        raise ExitStatus(code)
    return 0


def _call_json(wanted: Call, request: BuildRequest, found: Json, target: Target) -> int:
    """Add what --call says of a target, as JSON."""
    import contextlib
    import io
    import json

    from hyperbox.cli.build_call import call

    said = io.StringIO()
    code = 0
    with contextlib.redirect_stdout(said):
        try:
            code = call(wanted, request, NoProgress())
        except ExitStatus as status:
            code = status.exit_code
    try:
        answer = json.loads(said.getvalue())
    except ValueError:
        answer = {wanted.name: said.getvalue()}
    kind = "check" if wanted.name == "lint" else wanted.name
    found[target.name] = {"build": target_json(target), kind: answer}
    return code
