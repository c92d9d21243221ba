"""`docker compose watch` and `up --watch`: changed files are copied into containers, which are restarted or built anew, as `develop.watch` says."""

from __future__ import annotations

import io
import os
import sys
import tarfile
import time

from hyperbox.cli.compose_progress import step_progress
from hyperbox.cli.compose_project import Session, warn
from hyperbox.cli.compose_up import carry_out, converge
from hyperbox.cli.watch_files import Watcher
from hyperbox.cli.watch_rules import Changes, Rule, changes, load_rules, matches, place
from hyperbox.errors import ComposeError, EngineError, HyperBoxError, NotFound
from hyperbox.files import write_all
from hyperbox.plan.hooks import exec_config
from hyperbox.plan.order import selected
from hyperbox.plan.reconcile import UpOptions, reconcile_up
from hyperbox.plan.states import reconcile_states

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hyperbox.compose.model import Json
    from hyperbox.grammar.parse import Invocation
    from hyperbox.plan.observe import ObservedContainer

LIMIT = 1 << 28  # bytes that one copy may hold
STARTING = 60.0  # seconds for which containers are waited for that are to get their files at once
NO_IMAGE = "could not get created time for service's image"  # docker compose's words for a service without a container


def watch(invocation: Invocation) -> int:
    """`docker compose watch`."""
    if invocation.flags["no-up"]:
        from hyperbox.cli.compose_project import session

        found = session(invocation)
        selected(found.desired, invocation.arguments)
    else:
        with step_progress(invocation) as progress:
            found = converge(invocation, progress, start=True)
    rules = load_rules(found.desired, selected(found.desired, invocation.arguments))
    try:
        Watching(found, rules, lambda text: print(text, flush=True), write_all, warn).follow()
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        return 130
    return 0


class Watching:
    """Does what rules say as files change. `say` gets lines about it, `write` (stream, bytes) what commands in containers print.

    With --dry-run it only tells.
    """

    def __init__(
        self,
        found: Session,
        rules: list[Rule],
        say: Callable[[str], object],
        write: Callable[[int, bytes], object],
        warning: Callable[[str], object],
    ) -> None:
        self.found, self.rules = found, rules
        self.say, self.write, self.warning = say, write, warning
        self.pretends = bool(found.invocation.globals.get("dry-run"))

    def follow(self, *, patient: bool = False) -> None:
        """Watch until interrupted. What is to be copied at once is so before that is told, or, `patient`, once the containers run.

        Raises ComposeError where a service has no container to copy to.
        """
        watcher = Watcher(rule.path for rule in self.rules)
        try:
            if not patient:
                self.copy_at_once()
            self.say("Watch enabled")
            if patient:
                self._await_containers()
                self.copy_at_once()
            while (paths := watcher.batch()) is not None:
                for service, wanted in changes(self.rules, paths).items():
                    try:
                        self.apply(service, wanted)
                    except HyperBoxError as error:  # the next change may mend it
                        self.warning(f"Error handling changed files: {error.message}")
        finally:
            watcher.close()

    def _at_once(self) -> list[Rule]:
        return [rule for rule in self.rules if rule.initial and rule.action.startswith("sync")]

    def _await_containers(self) -> None:
        deadline = time.monotonic() + STARTING
        for service in {rule.service for rule in self._at_once()}:
            while not running(self.found, service) and time.monotonic() < deadline:
                time.sleep(0.1)

    def copy_at_once(self) -> None:
        """Copy what the rules want copied before any change. Raises ComposeError."""
        for rule in self._at_once():
            if not self.found.containers([rule.service]):
                raise ComposeError(NO_IMAGE)
            copy(self.found, rule.service, [(path, place(rule, path)) for path in files_of(rule)])

    def apply(self, service: str, wanted: Changes) -> None:
        """Do what a batch of changes asks for, of one service. Raises HyperBoxError."""
        found, say = self.found, self.say
        if wanted.rebuild:
            say(f'Rebuilding service(s) ["{service}"] after changes were detected...')
            if not self.pretends:
                self._rebuild(service)
            return
        if wanted.copies:
            own = [rule for rule in self.rules if rule.service == service]
            pairs = dict.fromkeys(pair for source, target in wanted.copies for pair in spread(own, source, target))
            say(f'Syncing service "{service}" after {len(pairs)} changes were detected')
            if not self.pretends:
                copy(found, service, pairs)
        if wanted.restart:
            plan = reconcile_states(found.desired, found.observe(), (service,), "restart", None, no_deps=True)
            if not self.pretends:
                carry_out(found, plan, show=False)
            say(f'service(s) ["{service}"] restarted')
        for command in () if self.pretends else wanted.commands:
            self._run_command(service, command)

    def _run_command(self, service: str, command: Json) -> None:
        """Run the command of `sync+exec` in the service's containers. Raises ComposeError where it fails, with docker compose's words: none."""
        sys.stdout.flush()
        for row in running(self.found, service):
            if run_in(self.found, row, exec_config(command), self.write) != 0:
                raise ComposeError("")

    def _rebuild(self, service: str) -> None:
        """Build a service's image and make its containers anew from it; with --prune the image that nobody names any more goes."""
        from hyperbox.cli.compose_build import build_services
        from hyperbox.cli.compose_build_request import Options

        found, flags = self.found, self.found.invocation.flags
        before = {row.image_id for row in found.containers([service])}
        quiet = bool(flags.get("quiet") or flags.get("quiet-build"))
        try:
            image_ids = build_services(found, [service], Options(), None, quiet=quiet, mode="plain")
        except HyperBoxError as error:
            self.say(f"Build failed. Error: {error.message}")
            raise
        self.say(f'service(s) ["{service}"] successfully built')
        options = UpOptions(services=(service,), no_deps=True, recreate="force", image_ids=image_ids)
        carry_out(found, reconcile_up(found.desired, found.observe(), options), image_ids, show=False)
        if flags.get("prune", True):
            for image_id in before - set(image_ids.values()):
                _drop(found, image_id)


def files_of(rule: Rule) -> list[str]:
    """Return the files that a rule is about and that are there now."""
    if not os.path.isdir(rule.path):
        return [rule.path] if os.path.lexists(rule.path) and matches(rule, rule.path) else []
    return [path for path in _inside(rule, rule.path) if os.path.islink(path) or not os.path.isdir(path)]


def spread(rules: Iterable[Rule], source: str, target: str) -> list[tuple[str, str]]:
    """Return a changed path, or for a folder that came all that is in it: what was made before it was watched is told of by nobody."""
    if not os.path.isdir(source) or os.path.islink(source):
        return [(source, target)]
    for rule in rules:
        if rule.action.startswith("sync") and matches(rule, source):
            return [(path, place(rule, path)) for path in (source, *_inside(rule, source))]
    return [(source, target)]


def _inside(rule: Rule, folder: str) -> list[str]:
    """Return what a rule is about of what lies in a folder."""
    found = []
    for parent, below, names in os.walk(folder):
        below[:] = sorted(name for name in below if matches(rule, f"{parent}/{name}") or rule.include)
        paths = [f"{parent}/{name}" for name in sorted([*names, *below])]
        found += [path for path in paths if matches(rule, path)]
    return found


def running(found: Session, service: str) -> list[ObservedContainer]:
    """Return the containers of a service that files can be copied to."""
    return [row for row in found.containers([service], all=False) if row.state == "running"]


def copy(found: Session, service: str, copies: Iterable[tuple[str, str]]) -> None:
    """Copy files into the service's containers, and remove those that are gone here."""
    pairs = list(dict.fromkeys(copies))
    gone = [target for source, target in pairs if not os.path.lexists(source)]
    archive = _archive([(source, target) for source, target in pairs if os.path.lexists(source)])
    for row in running(found, service):
        if gone:
            run_in(found, row, {"Cmd": ["rm", "-rf", "--", *gone], "User": "0"}, write_all)
        if archive is not None:
            archive.seek(0)
            try:
                found.engine.container_archive_put(row.container_id, "/", archive, copy_owner=True)
            except NotFound:
                continue


def _archive(pairs: list[tuple[str, str]]) -> io.BytesIO | None:
    if not pairs:
        return None
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for source, target in pairs:
            _add(archive, source, target.lstrip("/"))
            if buffer.tell() > LIMIT:
                raise ComposeError(f"more than {LIMIT >> 20} MiB changed at once")
    return buffer


def _add(archive: tarfile.TarFile, source: str, name: str) -> None:
    try:
        member = archive.gettarinfo(source, name)
        if member is None:
            return  # a socket
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        if member.isreg() or member.islnk():
            member.type = tarfile.REGTYPE
            with open(source, "rb") as file:
                member.size = os.fstat(file.fileno()).st_size
                archive.addfile(member, file)
        else:
            archive.addfile(member)
    except FileNotFoundError:
        return  # gone again: the next batch says so


def run_in(found: Session, row: ObservedContainer, config: Json, write: Callable[[int, bytes], object]) -> int:
    """Run a command in a container and give what it prints to `write`; returns its exit code, 0 where the container is gone."""
    engine = found.engine
    try:
        exec_id = engine.exec_create(row.container_id, {**config, "AttachStdout": True, "AttachStderr": True})
        attachment = engine.exec_start(exec_id)
    except NotFound:
        return 0
    assert attachment is not None
    while (chunks := attachment.read()) is not None:
        for stream, data in chunks:
            write(2 if stream == 2 else 1, data)
    return attachment.wait()


def _drop(found: Session, image_id: str) -> None:
    try:
        if not found.engine.image_inspect(image_id).get("RepoTags"):
            found.engine.image_remove(image_id)
    except EngineError:
        return  # it is used elsewhere, or gone
