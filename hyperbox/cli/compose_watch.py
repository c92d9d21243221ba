"""`docker compose watch` and `up --watch`: changed files are copied into containers, which are restarted or built anew, as `develop.watch` says."""

from __future__ import annotations

import io
import os
import sys
import tarfile

from hyperbox.cli.compose_progress import step_progress
from hyperbox.cli.compose_project import Session, warn
from hyperbox.cli.compose_up import carry_out, converge
from hyperbox.cli.watch_files import Watcher
from hyperbox.cli.watch_rules import Changes, Rule, changes, load_rules, matches, place
from hyperbox.errors import ComposeError, EngineError, HyperBoxError, NotFound
from hyperbox.plan.order import selected
from hyperbox.plan.reconcile import UpOptions, reconcile_up
from hyperbox.plan.states import reconcile_states

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hyperbox.compose.model import Json
    from hyperbox.grammar.parse import Invocation
    from hyperbox.plan.observe import ObservedContainer

MARK = "\x1b[92m        ⦿ \x1b[0m"  # what stands before a line of `up --watch`
LIMIT = 1 << 28  # bytes that one copy may hold


def watch(invocation: Invocation) -> int:
    """`docker compose watch`."""
    flags = invocation.flags
    if flags["no-up"] or invocation.globals.get("dry-run"):
        from hyperbox.cli.compose_project import session

        found = session(invocation)
        selected(found.desired, invocation.arguments)
    else:
        with step_progress(invocation) as progress:
            found = converge(invocation, progress, start=True)
    rules = load_rules(found.desired, selected(found.desired, invocation.arguments))
    if invocation.globals.get("dry-run"):
        for rule in rules:
            sys.stderr.write(f" DRY-RUN MODE -  {rule.service}: {rule.action} {rule.path}\n")
        return 0
    try:
        follow(found, rules, lambda text: print(text, flush=True))
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        return 130
    return 0


def follow(found: Session, rules: list[Rule], say: Callable[[str], object]) -> None:
    """Do what the rules say as files change, until interrupted."""
    watcher = Watcher(rule.path for rule in rules)
    try:
        for rule in rules:
            if rule.initial and rule.action.startswith("sync"):
                copies = tuple((path, place(rule, path)) for path in files_of(rule))
                copy(found, rule.service, copies)
        say("Watch enabled")
        while (paths := watcher.batch()) is not None:
            for service, wanted in changes(rules, paths).items():
                try:
                    apply(found, rules, service, wanted, say)
                except HyperBoxError as error:  # the next change may mend it
                    warn(f'Error handling changed files for service "{service}": {error.message}')
    finally:
        watcher.close()


def files_of(rule: Rule) -> list[str]:
    """Return the files that a rule is about and that are there now."""
    if not os.path.isdir(rule.path):
        return [rule.path] if os.path.lexists(rule.path) and matches(rule, rule.path) else []
    found = []
    for folder, folders, names in os.walk(rule.path):
        folders[:] = sorted(name for name in folders if matches(rule, f"{folder}/{name}") or rule.include)
        found += [f"{folder}/{name}" for name in sorted(names) if matches(rule, f"{folder}/{name}")]
    return found


def apply(found: Session, rules: list[Rule], service: str, wanted: Changes, say: Callable[[str], object]) -> None:
    """Do what a batch of changes asks for, of one service. Raises HyperBoxError."""
    if wanted.rebuild:
        say(f'Rebuilding service(s) ["{service}"] after changes were detected...')
        rebuild(found, service)
        say(f'service(s) ["{service}"] successfully built')
        return
    if wanted.copies:
        say(f'Syncing service "{service}" after {len(wanted.copies)} changes were detected')
        own = [rule for rule in rules if rule.service == service]
        copy(found, service, [pair for source, target in wanted.copies for pair in spread(own, source, target)])
    if wanted.restart:
        plan = reconcile_states(found.desired, found.observe(), (service,), "restart", None, no_deps=True)
        carry_out(found, plan, show=False)
        say(f'service(s) ["{service}"] restarted')
    for command in wanted.commands:
        run_command(found, service, command)


def spread(rules: Iterable[Rule], source: str, target: str) -> list[tuple[str, str]]:
    """Return a changed path, or for a folder that came the files in it: those made before it was watched are told of by nobody."""
    if not os.path.isdir(source) or os.path.islink(source):
        return [(source, target)]
    pairs = [(source, target)]
    for rule in rules:
        if rule.action.startswith("sync") and matches(rule, source):
            pairs += [(path, place(rule, path)) for path in files_of(rule._replace(path=source, target=target))]
            break
    return pairs


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
            _run(found, row, {"Cmd": ["rm", "-rf", "--", *gone], "User": "0"})
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


def _run(found: Session, row: ObservedContainer, config: Json) -> None:
    engine = found.engine
    try:
        exec_id = engine.exec_create(row.container_id, {**config, "AttachStdout": True, "AttachStderr": True})
        attachment = engine.exec_start(exec_id)
    except NotFound:
        return
    assert attachment is not None
    while (chunks := attachment.read()) is not None:
        for stream, data in chunks:
            os.write(2 if stream == 2 else 1, data)
    attachment.wait()


def run_command(found: Session, service: str, command: Json) -> None:
    """Run the command of `sync+exec` in the service's containers. Raises ComposeError where it fails."""
    from hyperbox.plan.hooks import run_hooks

    sys.stdout.flush()
    for row in running(found, service):
        run_hooks(found.engine, row.container_id, service, (command,), lambda data: os.write(1, data))


def rebuild(found: Session, service: str) -> None:
    """Build a service's image and make its containers anew from it; with --prune the image that nobody names any more goes."""
    from hyperbox.cli.compose_build import build_services
    from hyperbox.cli.compose_build_request import Options

    invocation = found.invocation
    before = {row.image_id for row in found.containers([service])}
    image_ids = build_services(found, [service], Options(), None, quiet=bool(invocation.flags.get("quiet")))
    options = UpOptions(services=(service,), no_deps=True, recreate="force", image_ids=image_ids)
    carry_out(found, reconcile_up(found.desired, found.observe(), options), image_ids, show=False)
    if invocation.flags.get("prune", True):
        for image_id in before - set(image_ids.values()):
            _drop(found, image_id)


def _drop(found: Session, image_id: str) -> None:
    try:
        if not found.engine.image_inspect(image_id).get("RepoTags"):
            found.engine.image_remove(image_id)
    except EngineError:
        return  # it is used elsewhere, or gone
