"""The rules of `develop.watch`: which change of which file asks for what. Opens nothing but ignore files."""

from __future__ import annotations

import os
from typing import NamedTuple

from hyperbox.build.ignore import IgnoreRules, read_patterns
from hyperbox.errors import ComposeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hyperbox.compose.model import Json
    from hyperbox.project.desired import Desired, ServiceWish

# what editors and version control leave beside a file that is being changed
EPHEMERAL = IgnoreRules(
    [
        "**/.git",
        "**/.idea",
        "**/4913",
        "**/*~",
        "**/.#*",
        "**/#*#",
        "**/.*.swp",
        "**/.*.swo",
        "**/.*.swx",
        "**/*___jb_tmp___",
        "**/*___jb_old___",
        "**/.sass-cache",
    ]
)
IGNORE_FILE_LIMIT = 1 << 20


class Rule(NamedTuple):
    """One trigger of a service. `ignore` and `include` hold for paths below `path`, `context` for paths below the build context."""

    service: str
    action: str
    path: str
    target: str
    ignore: IgnoreRules
    include: IgnoreRules | None
    context: tuple[str, IgnoreRules] | None
    initial: bool
    command: Json


class Changes(NamedTuple):
    """What a batch of changes asks for, of one service: (host path, path in the container) to copy, and the rest."""

    copies: tuple[tuple[str, str], ...] = ()
    restart: bool = False
    rebuild: bool = False
    commands: tuple[Json, ...] = ()


def load_rules(
    desired: Desired, services: Sequence[str], hint: str = "consider setting a 'develop' section"
) -> list[Rule]:
    """Return the rules of the services, in order. Raises ComposeError where there are none (`hint`: what to do), or one can't be followed."""
    rules = [rule for name in services for rule in _of(desired.services[name])]
    if not rules:
        raise ComposeError(f"none of the selected services is configured for watch, {hint}")
    return rules


def _of(wish: ServiceWish) -> list[Rule]:
    develop = wish.definition.get("develop")
    rows = develop.get("watch") if isinstance(develop, dict) else None
    context = _context(wish)
    rules = []
    for row in rows if isinstance(rows, list) else []:
        action = str(row.get("action"))
        if action == "rebuild" and not wish.definition.get("build"):
            raise ComposeError(f'can\'t watch service "{wish.name}" with action rebuild without a build context')
        include = row.get("include")
        command = row.get("exec")
        rules.append(
            Rule(
                wish.name,
                action,
                os.path.abspath(str(row.get("path"))),
                str(row.get("target") or ""),
                IgnoreRules(_cleaned(row.get("ignore"))),
                IgnoreRules(_cleaned(include)) if include else None,
                context,
                row.get("initial_sync") is True,
                command if isinstance(command, dict) else {},
            )
        )
    return rules


def _cleaned(value: object) -> list[str]:
    return read_patterns("\n".join(str(item) for item in value)) if isinstance(value, list) else []


def _context(wish: ServiceWish) -> tuple[str, IgnoreRules] | None:
    build = wish.definition.get("build")
    folder = str(build.get("context") or "") if isinstance(build, dict) else ""
    path = os.path.join(folder, ".dockerignore")
    if not folder.startswith("/") or not os.path.isfile(path):
        return None
    with open(path, encoding="utf-8", errors="replace") as file:
        return folder, IgnoreRules(read_patterns(file.read(IGNORE_FILE_LIMIT)))


def below(folder: str, path: str) -> str | None:
    """Return a path relative to a folder, "" for the folder itself, or None for one outside of it."""
    if path == folder:
        return ""
    root = folder.rstrip("/") + "/"
    return path[len(root) :] if path.startswith(root) else None


def matches(rule: Rule, path: str) -> bool:
    """Return whether a change of `path` is one that a rule is about."""
    inside = below(rule.path, path)
    if inside is None or EPHEMERAL.excluded(path.lstrip("/")):
        return False
    if inside and rule.ignore.excluded(inside):
        return False
    if rule.context is not None:
        of_context = below(rule.context[0], path)
        if of_context and rule.context[1].excluded(of_context):
            return False
    return rule.include is None or rule.include.excluded(inside or os.path.basename(path))


def place(rule: Rule, path: str) -> str:
    """Return where a changed file belongs in the container."""
    inside = below(rule.path, path)
    return f"{rule.target.rstrip('/')}/{inside}" if inside else rule.target


def changes(rules: Iterable[Rule], paths: Iterable[str]) -> dict[str, Changes]:
    """Return what a batch of changed paths asks for, by service. The first rule of a service that a path matches decides."""
    found: dict[str, Changes] = {}
    ordered = sorted(set(paths))
    by_service: dict[str, list[Rule]] = {}
    for rule in rules:
        by_service.setdefault(rule.service, []).append(rule)
    for service, own in by_service.items():
        total = Changes()
        for path in ordered:
            first = next((rule for rule in own if matches(rule, path)), None)
            if first is not None:
                total = _with(total, first, path)
        if total != Changes():
            found[service] = total
    return found


def _with(total: Changes, rule: Rule, path: str) -> Changes:
    if rule.action.startswith("sync"):
        total = total._replace(copies=(*total.copies, (path, place(rule, path))))
    if rule.action == "sync+exec" and rule.command not in total.commands:
        total = total._replace(commands=(*total.commands, rule.command))
    return total._replace(
        restart=total.restart or rule.action in ("restart", "sync+restart"),
        rebuild=total.rebuild or rule.action == "rebuild",
    )
