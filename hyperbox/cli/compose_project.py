"""What every compose verb begins with: the engine, the loaded project, what it wants and what is there."""

from __future__ import annotations

import os
import sys
from typing import NamedTuple

from hyperbox.cli.compose_progress import check_settings
from hyperbox.cli.connect import engine_for
from hyperbox.compose.discover import given_name
from hyperbox.compose.load import load
from hyperbox.compose.model import LoadOptions, Project
from hyperbox.errors import ComposeError
from hyperbox.files import dumps
from hyperbox.grammar.values import words_of
from hyperbox.plan.observe import Observed, ObservedContainer, observe, project_containers
from hyperbox.project.desired import Dependency, Desired, ServiceWish, project_to_desired, separator_of
from hyperbox.project.subnets import translate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from hyperbox.engine.api import Engine
    from hyperbox.grammar.parse import Invocation
    from hyperbox.project.enrolment import Enrolment


class Session(NamedTuple):
    """One compose command: its engine, what its project wants (the file may be missing for verbs that work by labels), and its place here."""

    engine: Engine
    invocation: Invocation
    desired: Desired
    place: Enrolment | None = None

    def observe(self) -> Observed:
        """Return what is there now."""
        return observe(self.engine, self.desired)

    def check_known(self, services: Sequence[str]) -> None:
        """Raise ComposeError "no such service: x" for names that the files don't have; without files no name is wrong."""
        if self.desired.project is None:
            return
        for name in services:
            if name not in self.desired.known_services:
                raise ComposeError(f"no such service: {name}")

    def newest_first(self, rows: Sequence[ObservedContainer]) -> list[ObservedContainer]:
        """Return containers in the order in which the engine lists them."""
        label = f"com.docker.compose.project={self.desired.name}"
        listed = self.engine.container_list(all=True, filters={"label": [label]})
        order = {str(summary["Id"]): number for number, summary in enumerate(listed)}
        return sorted(rows, key=lambda row: order.get(row.container_id, 0))

    def containers(
        self, services: Sequence[str] = (), *, all: bool = True, one_off: bool = False
    ) -> list[ObservedContainer]:
        """Return the project's containers of some services (none: all), by name. Raises ComposeError "no such service: x"."""
        self.check_known(services)
        rows = project_containers(self.engine, self.desired.name, all=all)
        wanted = set(services)
        return [row for row in rows if (one_off or not row.one_off) and (not wanted or row.service in wanted)]

    def container(self, service: str, number: int = 0, *, running: bool = True) -> ObservedContainer:
        """Return one container of a service (the first, or the one with `number`). Raises ComposeError where there is none."""
        rows = sorted(
            (row for row in containers_named(self, [service], all=not running) if not row.one_off),
            key=lambda row: row.ordinal,
        )
        for row in rows:
            if not number or row.ordinal == number:
                return row
        if rows and number:
            raise ComposeError(f'service "{service}" is not running container #{number}')
        raise ComposeError(f'service "{service}" is not running')


def default_platform(found: Session) -> str:
    """Return the platform of services that name none: DOCKER_DEFAULT_PLATFORM, which an .env file may set, or ""."""
    project = found.desired.project
    return (os.environ if project is None else project.environment).get("DOCKER_DEFAULT_PLATFORM", "")


def warner(invocation: Invocation) -> Callable[[str], None]:
    """Return what prints a verb's warnings: lines of JSON with `--progress json`."""
    return teller(invocation, "warning")


def teller(invocation: Invocation, level: str) -> Callable[[str], None]:
    """Return what prints a verb's messages of a level: lines of JSON with `--progress json`."""
    tell = warn_in_json if invocation.globals.get("progress") == "json" else warn
    return lambda text: tell(text, level)


def warn_in_json(text: str, level: str = "warning") -> None:
    """Print a warning, or a message of another level, as a line of JSON."""
    print(dumps({"level": level, "msg": text, "time": _stamp()}), file=sys.stderr)


def warn(text: str, level: str = "warning") -> None:
    """Print a warning, or an "info", as docker compose does, on a terminal with the seconds since the command began."""
    if sys.stderr.isatty():
        title = "\x1b[36mINFO" if level == "info" else "\x1b[33mWARN"
        print(f"{title}\x1b[0m[{_running():04d}] {text:<44} ", file=sys.stderr)
        return
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    print(f'time="{_stamp()}" level={level} msg="{escaped}"', file=sys.stderr)


def _running() -> int:
    """Return the seconds since this process began, 0 where the system doesn't say."""
    if sys.platform != "linux":
        return 0
    try:
        with open("/proc/self/stat") as file:
            ticks = int(file.read().rpartition(")")[2].split()[19])  # see proc_pid_stat(5): starttime
        with open("/proc/uptime") as file:
            return int(float(file.read().split()[0]) - ticks / os.sysconf("SC_CLK_TCK"))
    except OSError:
        return 0


def _stamp() -> str:
    import time

    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def given_environment() -> dict[str, str]:
    """Return the environment as it was given: without the LC_CTYPE that Python sets where there is no locale (PEP 538)."""
    environment = dict(os.environ)
    if environment.get("LC_CTYPE") == "C.UTF-8":
        try:
            with open("/proc/self/environ", "rb") as file:
                given = file.read()
        except OSError:
            return environment
        if b"LC_CTYPE=" not in given:
            del environment["LC_CTYPE"]
    return environment


def load_options(invocation: Invocation, services: Sequence[str] = ()) -> LoadOptions:
    """Return what the command line and the environment say about the project."""
    given = invocation.globals
    files = words_of(given.get("file"))
    return LoadOptions(
        files=tuple(files),
        project_name=str(given.get("project-name") or ""),
        project_directory=str(given.get("project-directory") or ""),
        env_files=tuple(words_of(given.get("env-file"))),
        profiles=tuple(words_of(given.get("profile"))),
        working_dir=os.getcwd(),
        environment=given_environment(),
        stdin=sys.stdin.buffer.read() if "-" in files else "",
        services=tuple(services),
        warn=warner(invocation),
        own_variables=own_variables(invocation),
    )


def is_explicit(invocation: Invocation) -> bool:
    """Return whether the user gave the project's name on purpose."""
    return bool(invocation.globals.get("project-name") or os.environ.get("COMPOSE_PROJECT_NAME"))


def own_variables(invocation: Invocation) -> Callable[[str, str, Collection[str]], dict[str, str]]:
    """Return the function that gives the project's own variables; a port that is not assigned yet is 0 there."""

    def given(name: str, folder: str, mentioned: Collection[str]) -> dict[str, str]:
        from hyperbox.cli.compose_identity import projects_folder
        from hyperbox.cli.project_view import variables
        from hyperbox.project import identity

        records = identity.read_all(projects_folder())
        record = identity.find_record(records, name, folder, explicit=is_explicit(invocation))
        record = record or identity.new_record(records, name, folder, explicit=is_explicit(invocation))
        return {**{each: "0" for each in mentioned if each.startswith("HYPERBOX_PORT_")}, **variables(record)}

    return given


def load_project(invocation: Invocation, services: Sequence[str] = ()) -> Project:
    """Load the compose files. Raises ComposeError with docker compose's words."""
    return load(load_options(invocation, services))


def session(
    invocation: Invocation,
    *,
    scale: dict[str, int] | None = None,
    services: Sequence[str] = (),
    read_env_files: bool = True,
) -> Session:
    """Return the session of a verb that needs the files; builds and pulls need no `env_file`, which may be missing then."""
    options = load_options(invocation, services)._replace(resolve_environment=read_env_files)
    return _session_of(invocation, options, scale)


def _session_of(invocation: Invocation, options: LoadOptions, scale: dict[str, int] | None = None) -> Session:
    check_settings(invocation)
    project = load(options)
    engine = engine_for(invocation)
    place = settled(project, invocation, scale, engine)
    if project.uses_own and changed(project, place):  # its ports are known only now
        project = load(options._replace(warn=lambda text: None))
        place = settled(project, invocation, scale, engine)
    project = translate(project, place.subnets)
    if not invocation.globals.get("dry-run"):
        from hyperbox.cli.project_place import take_effect

        take_effect(engine, project, place, invocation.path)
    return Session(engine, invocation, project_to_desired(project, place.identity.id, scale, place.names), place)


def session_by_name(invocation: Invocation, enabled: Sequence[str] = ()) -> Session:
    """Return the session of a verb that can do without the files where the project's name is given.

    As docker compose has it: -p without -f means the project as it is, whatever files lie here; COMPOSE_PROJECT_NAME stands in for files
    that can't be loaded. Environment files are not read: what they say changes nothing of a container that is there. Services in
    `enabled` count whatever their profiles are.
    """
    given, files = str(invocation.globals.get("project-name") or ""), words_of(invocation.globals.get("file"))
    name = given
    if not given or files:
        options = load_options(invocation)._replace(resolve_environment=False, enabled=tuple(enabled))
        try:
            return _session_of(invocation, options)
        except ComposeError:
            name = "" if given else given_name(options._replace(warn=lambda text: None))
            if not name:
                raise
    engine = engine_for(invocation)
    return Session(engine, invocation, project_as_it_is(engine, name))


def session_of_name(invocation: Invocation) -> Session:
    """Return the session of a verb that asks for the project's name only: attach, commit, cp, events, exec, export, images, port, stats, top.

    As docker compose has it: a name that is given, be it by COMPOSE_PROJECT_NAME in an .env file, makes the files irrelevant, whatever is
    wrong with them; without one they are loaded as for `up`, with their env files. A name in an .env file is not given on purpose, so that
    the folder's project may have a suffix here: the files are loaded all the same, silently.
    """
    options = load_options(invocation)
    warnings: list[str] = []
    name = given_name(options._replace(warn=warnings.append))
    if not name:
        return _session_of(invocation, options)
    for text in warnings:
        options.warn(text)
    if not is_explicit(invocation):
        try:
            return _session_of(invocation, options._replace(resolve_environment=False, warn=lambda text: None))
        except ComposeError:
            pass
    engine = engine_for(invocation)
    return Session(engine, invocation, project_as_it_is(engine, name))


def project_as_it_is(engine: Engine, name: str) -> Desired:
    """Return what a project would want if its containers were all that is known of it: their services and what these depend on."""
    services: dict[str, ServiceWish] = {}
    for row in project_containers(engine, name):
        labels = row.summary.get("Labels")
        text = labels.get("com.docker.compose.depends_on") if isinstance(labels, dict) else None
        if row.service and not row.one_off:
            depends = tuple(_labelled_dependency(word) for word in str(text or "").split(",") if word)
            services[row.service] = ServiceWish(row.service, {}, 1, row.config_hash, row.image_id, depends)
    separator = separator_of(os.environ)
    return Desired(name, name, os.getcwd(), (), {}, {}, services, frozenset(services), separator=separator)


def _labelled_dependency(word: str) -> Dependency:
    service, _, rest = word.partition(":")
    condition, _, restart = rest.partition(":")
    return Dependency(service, condition or "service_started", True, restart == "true")


def containers_named(found: Session, services: Sequence[str], *, all: bool = True) -> list[ObservedContainer]:
    """Return the containers of some services (none: all), those of `run` included; services that nobody knows have none."""
    rows = project_containers(found.engine, found.desired.name, all=all)
    return [row for row in rows if not services or row.service in services]


def settled(
    project: Project, invocation: Invocation, scale: dict[str, int] | None = None, engine: Engine | None = None
) -> Enrolment:
    """Return the project's place on this machine: its real name, with a suffix where another folder has the same one, its names and ports."""
    from hyperbox.cli.compose_identity import settle

    explicit = is_explicit(invocation)
    path = "" if invocation.globals.get("dry-run") else invocation.path
    return settle(project, explicit=explicit, path=path, scale=scale, engine=engine)


def changed(project: Project, place: Enrolment) -> bool:
    """Return whether a project was loaded with other variables of its own than it has now."""
    from hyperbox.cli.compose_identity import projects_folder
    from hyperbox.cli.project_view import variables
    from hyperbox.project import identity

    record = identity.read(projects_folder(), place.identity.id)
    return record is not None and any(project.environment.get(key) != value for key, value in variables(record).items())


def timeout_of(invocation: Invocation) -> int | None:
    """Return --timeout in seconds, or None where it was not given."""
    value = invocation.flags.get("timeout")
    return value if invocation.given.get("timeout") and isinstance(value, int) else None
