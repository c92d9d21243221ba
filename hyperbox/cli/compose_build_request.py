"""From the `build` of a service to a build: every key honoured, or refused with its name."""

from __future__ import annotations

import os
from typing import NamedTuple

from hyperbox.build.api import BuildRequest, Output, Secret, Source, Ulimit
from hyperbox.cli import build_inputs, build_outputs
from hyperbox.cli.build import check_network, check_tag, credentials_of, hosts, platforms, proxies, source_date_epoch
from hyperbox.cli.compose_project import default_platform
from hyperbox.errors import ComposeError, HyperBoxError, UnsupportedError
from hyperbox.grammar.values import words_of
from hyperbox.project.desired import PREFIX, VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hyperbox.cli.compose_project import Session
    from hyperbox.project.desired import ServiceWish

    Json = dict[str, object]


class Options(NamedTuple):
    """What a command adds to the builds of a project."""

    arguments: tuple[tuple[str, str], ...] = ()
    ssh: str = ""
    no_cache: bool = False
    pull: bool = False
    push: bool = False


def wanted_platforms(found: Session, wish: ServiceWish, build: Json) -> tuple[str, ...]:
    """Return what an image is built for: what the service runs on, where that is said, else what `build` says. Raises HyperBoxError."""
    runs_on = str(wish.definition.get("platform") or default_platform(found))
    several = words_of(build.get("platforms"))
    return platforms([runs_on] if runs_on and (not several or runs_on in several) else several)


def texts_of(value: object) -> dict[str, str]:
    """Return a mapping of texts; what has no value is left out."""
    return {str(name): str(text) for name, text in value.items() if text is not None} if isinstance(value, dict) else {}


def build_of(wish: ServiceWish) -> Json:
    """Return the `build` of a service that has one."""
    build = wish.definition.get("build")
    assert isinstance(build, dict)
    return build


def services_in_contexts(wish: ServiceWish) -> dict[str, str]:
    """Return the named contexts that are other services: context -> service."""
    contexts = texts_of(build_of(wish).get("additional_contexts"))
    return {
        name: location.removeprefix("service:")
        for name, location in contexts.items()
        if location.startswith("service:")
    }


def refuse(wish: ServiceWish) -> None:
    """Raise UnsupportedError for keys that HyperBox does not honour."""
    build, lead = build_of(wish), f"services.{wish.name}.build."
    if build.get("privileged"):
        raise UnsupportedError(f"{lead}privileged: builds have no privileges in HyperBox")
    for word in words_of(build.get("entitlements")):
        if word != "network.host":
            raise UnsupportedError(f"{lead}entitlements: {word} is never granted to builds")
    if str(build.get("isolation") or "default") != "default":
        raise UnsupportedError(f"{lead}isolation: {build['isolation']} is of Windows; only default is there")
    for name in ("provenance", "sbom"):
        if str(build.get(name) or "false").lower() not in ("false", "0"):
            raise UnsupportedError(f"{lead}{name}: HyperBox makes no attestations: leave it out or say false")


def request_of(found: Session, wish: ServiceWish, options: Options, images: Mapping[str, str]) -> BuildRequest:
    """Return the build of one service; `images` has the ids of services that it builds on.

    Raises ComposeError or UnsupportedError naming the key.
    """
    refuse(wish)
    try:
        return _request(found, wish, options, images)
    except UnsupportedError as error:
        raise UnsupportedError(
            f"services.{wish.name}.build: {error.message.removeprefix('ERROR: failed to build: ')}"
        ) from None
    except HyperBoxError as error:
        raise ComposeError(error.message.removeprefix("ERROR: ").removeprefix("failed to build: ")) from None


def _request(found: Session, wish: ServiceWish, options: Options, images: Mapping[str, str]) -> BuildRequest:
    build = build_of(wish)
    environment = found.desired.project.environment if found.desired.project is not None else os.environ
    context = str(build.get("context") or ".")
    source = _context(context, found.desired.working_dir)
    dockerfile, path, ignore = _dockerfile(build, source)
    arguments = {**texts_of(build.get("args")), **dict(options.arguments)}
    pairs = tuple(arguments.items())
    push = (("push", "true"),) if options.push else ()
    return BuildRequest(
        context=source,
        dockerfile=dockerfile,
        dockerfile_path=path,
        ignore=ignore,
        target=str(build.get("target") or ""),
        build_args=(*proxies(found.invocation, pairs), *pairs),
        labels=tuple(labels(found, wish).items()),
        tags=tags(found, wish),
        platforms=wanted_platforms(found, wish, build),
        contexts=tuple(contexts(build, found.desired.working_dir, images).items()),
        secrets=secrets(found, build, environment),
        agents=tuple(build_inputs.agents(ssh(build, options.ssh), os.environ)),
        no_cache=options.no_cache or build.get("no_cache") is True,
        pull=options.pull or build.get("pull") is True,
        network=check_network(str(build.get("network") or "default")),
        hosts=hosts(words_of(build.get("extra_hosts"))),
        shm_size=int(str(build.get("shm_size") or 0)),
        ulimits=ulimits(build.get("ulimits")),
        allow=("network.host",)
        if build.get("network") == "host" or "network.host" in words_of(build.get("entitlements"))
        else (),
        cache_from=tuple(build_outputs.parse_cache(word, export=False) for word in words_of(build.get("cache_from"))),
        cache_to=tuple(build_outputs.parse_cache(word, export=True) for word in words_of(build.get("cache_to"))),
        outputs=(Output("image", attributes=push),),
        credentials=credentials_of(found.invocation),
        source_date_epoch=source_date_epoch(),
    )


def _context(context: str, folder: str) -> Source:
    try:
        return build_inputs.source_of(context, folder)
    except HyperBoxError as error:
        raise ComposeError(f"unable to prepare context: {error.message}") from None


def _dockerfile(build: Json, source: Source) -> tuple[bytes | None, str, str | None]:
    """Return the Dockerfile's bytes (None: the context has it), its name in messages, and the text of its own ignore file."""
    inline = build.get("dockerfile_inline")
    if inline is not None:
        return str(inline).encode(), "Dockerfile", None
    name = str(build.get("dockerfile") or "Dockerfile")
    if source.kind != "folder":
        return None, name, None
    path = os.path.join(source.location, name)
    if name == "Dockerfile" and not os.path.lexists(path):
        path = ""
    return build_inputs.read_dockerfile(source.location, path)


def labels(found: Session, wish: ServiceWish) -> dict[str, str]:
    """Return the labels of a service's image: those of the file, and docker compose's own."""
    return {
        **texts_of(build_of(wish).get("labels")),
        f"{PREFIX}project": found.desired.name,
        f"{PREFIX}service": wish.name,
        f"{PREFIX}version": VERSION,
    }


def tags(found: Session, wish: ServiceWish) -> tuple[str, ...]:
    """Return the names of a service's image: the project's own where two projects have the same."""
    given = [found.desired.real("image", tag) for tag in words_of(build_of(wish).get("tags"))]
    return tuple(dict.fromkeys(check_tag(tag) for tag in (*given, wish.image)))


def contexts(build: Json, folder: str, images: Mapping[str, str]) -> dict[str, Source]:
    """Return the named contexts; one that is a service's is that service's image."""
    result = {}
    for name, location in texts_of(build.get("additional_contexts")).items():
        if location.startswith("service:"):
            result[name] = Source("image", images[location.removeprefix("service:")])
        else:
            result[name] = build_inputs.source_of(location, folder)
    return result


def secrets(found: Session, build: Json, environment: Mapping[str, str]) -> tuple[Secret, ...]:
    """Return the secrets of a build: files, or values of variables. Raises ComposeError for one that is not of the file."""
    rows = build.get("secrets")
    project = found.desired.project
    result = []
    for row in rows if isinstance(rows, list) else []:
        source = str(row.get("source") or "")
        definition = project.secrets.get(source) if project is not None else None
        if definition is None:
            raise ComposeError(f'build.secrets: undefined secret "{source}"')
        identifier = str(row.get("target") or source)
        if definition.get("external"):
            raise ComposeError(f'build.secrets: unsupported external secret "{source}"')
        if definition.get("environment"):
            value = environment.get(str(definition["environment"]), "")
            result.append(Secret(identifier, value=value.encode("utf-8", "surrogateescape")))
        elif definition.get("content") is not None:
            result.append(Secret(identifier, value=str(definition["content"]).encode()))
        else:
            result.append(build_inputs.load_secret(identifier, str(definition.get("file") or ""), "", environment))
    return tuple(result)


def ssh(build: Json, given: str) -> Sequence[str]:
    """Return the ssh agents of a build as words of --ssh: the command's replace those of the file with the same name."""
    rows = build.get("ssh")
    words = (
        {str(row["id"]): str(row.get("path") or "") for row in rows if isinstance(row, dict)}
        if isinstance(rows, list)
        else {}
    )
    if given:
        name, _, path = given.partition("=")
        words[name] = path
    return [f"{name}={path}" if path else name for name, path in words.items()]


def ulimits(value: object) -> tuple[Ulimit, ...]:
    """Return limits of RUN steps."""
    result = []
    for name, limit in (value if isinstance(value, dict) else {}).items():
        soft, hard = (limit.get("soft"), limit.get("hard")) if isinstance(limit, dict) else (limit, limit)
        result.append(Ulimit(str(name), int(str(soft)), int(str(hard))))
    return tuple(result)
