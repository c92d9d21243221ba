"""`docker compose build --print`: the builds as the bake file that docker compose would give to buildx."""

from __future__ import annotations

import os
import re

from hyperbox.cli.compose_build import wish_of, with_contexts
from hyperbox.cli.compose_build_request import (
    Options,
    build_of,
    labels,
    services_in_contexts,
    ssh,
    texts_of,
)
from hyperbox.cli.compose_project import default_platform
from hyperbox.compose.paths import join_path
from hyperbox.grammar.values import words_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hyperbox.cli.compose_project import Session
    from hyperbox.project.desired import ServiceWish

    Json = dict[str, object]

_NO_TARGET = re.compile(r"[^a-zA-Z0-9_-]")


def document(found: Session, names: Sequence[str], options: Options, *, check: bool) -> str:
    """Return the bake file's text, `check` where the builds are to be checked only. Raises ComposeError for services that build on each other."""
    from hyperbox.cli.output import indented_json
    from hyperbox.go.text import html_escaped

    services = sorted(with_contexts(found, names))
    targets = {_target_name(name): _target(found, wish_of(found, name), options, check=check) for name in services}
    value: Json = {"group": {"default": {"targets": list(targets)}}, "target": dict(sorted(targets.items()))}
    return html_escaped(indented_json(value, indent="  "))


def _target_name(service: str) -> str:
    return _NO_TARGET.sub("_", service)


def _target(found: Session, wish: ServiceWish, options: Options, *, check: bool) -> Json:
    build = build_of(wish)
    linked = {name: f"target:{_target_name(other)}" for name, other in services_in_contexts(wish).items()}
    platforms = _platforms(found, wish, build)
    facts: Json = {
        "context": build.get("context"),
        "contexts": _sorted({**texts_of(build.get("additional_contexts")), **linked}),
        "dockerfile": _file(build),
        "dockerfile-inline": _literal(str(build.get("dockerfile_inline") or "")),
        "args": {name: _literal(text) for name, text in _arguments(build, options).items()},
        "labels": _sorted(labels(found, wish)),
        "tags": [*(found.desired.real("image", tag) for tag in words_of(build.get("tags"))), wish.image],
        "cache-from": build.get("cache_from"),
        "cache-to": build.get("cache_to"),
        "target": build.get("target"),
        "secret": list(_secrets(found, build)),
        "ssh": [word if "=" in word else f"{word}=" for word in ssh(build, options.ssh)],
        "platforms": platforms,
        "pull": options.pull or build.get("pull"),
        "no-cache": options.no_cache or build.get("no_cache"),
        "network": build.get("network"),
        "shm-size": build.get("shm_size"),
        "ulimits": list(_ulimits(build.get("ulimits"))),
        "call": "lint" if check else "",
        "entitlements": [*words_of(build.get("entitlements")), *(["security.insecure"] if build.get("privileged") else ())],
        "extra-hosts": _hosts(words_of(build.get("extra_hosts"))),
        "output": [] if check else [_output(platforms, push=options.push and bool(wish.definition.get("image")))],
        "attest": [f"type={kind}{_attestation(build[kind])}" for kind in ("provenance", "sbom") if _asked(build.get(kind))],
    }  # fmt: skip
    return {key: value for key, value in facts.items() if value}


def _sorted(texts: dict[str, str]) -> dict[str, str]:
    return dict(sorted(texts.items()))


def _literal(text: str) -> str:
    """Return a text as a bake file has it that means just this."""
    return text.replace("${", "$${")


def _arguments(build: Json, options: Options) -> dict[str, str]:
    return _sorted({**texts_of(build.get("args")), **dict(options.arguments)})


def _file(build: Json) -> str:
    context, file = str(build.get("context") or "."), str(build.get("dockerfile") or "Dockerfile")
    if build.get("dockerfile_inline") is not None:
        return ""
    return file if os.path.isabs(file) or not os.path.isabs(context) else join_path(context, file)


def _platforms(found: Session, wish: ServiceWish, build: Json) -> list[str]:
    """Return what is built for; several platforms are no mistake here."""
    runs_on = str(wish.definition.get("platform") or default_platform(found))
    return words_of(build.get("platforms")) or ([runs_on] if runs_on else [])


def _output(platforms: Sequence[str], *, push: bool) -> str:
    if len(platforms) > 1:
        return f"type=image,push={'true' if push else 'false'}"
    return "type=registry" if push else "type=docker"


def _secrets(found: Session, build: Json) -> Iterator[str]:
    rows = build.get("secrets")
    known = found.desired.project.secrets if found.desired.project is not None else {}
    for row in rows if isinstance(rows, list) else ():
        definition = known.get(str(row.get("source"))) or {}
        name = row.get("target") or row.get("source")
        if definition.get("file"):
            yield f"id={name},type=file,src={definition['file']}"
        elif definition.get("environment"):
            yield f"id={name},type=env,env={definition['environment']}"


def _ulimits(value: object) -> Iterator[str]:
    for name, limit in sorted(value.items()) if isinstance(value, dict) else ():
        yield f"{name}={limit['soft']}:{limit['hard']}" if isinstance(limit, dict) else f"{name}={limit}"


def _hosts(words: Sequence[str]) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for word in words:
        name, _, address = word.partition("=")
        found.setdefault(name, []).append(address)
    return {name: ",".join(addresses) for name, addresses in sorted(found.items())}


def _asked(value: object) -> bool:
    return value not in (None, "", False, "false")


def _attestation(value: object) -> str:
    return "" if value is True or value == "true" else f",{value}"
