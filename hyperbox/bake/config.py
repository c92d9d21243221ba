"""From a configuration to the targets that a command names: groups, inheritance, links, and what --set changes."""

from __future__ import annotations

from typing import NamedTuple

from hyperbox.bake.definition import Config
from hyperbox.bake.entries import Entry
from hyperbox.bake.errors import BakeError
from hyperbox.bake.model import Group, Target
from hyperbox.bake.overrides import Override, add_overrides, parse_overrides
from hyperbox.go.patterns import compiled
from hyperbox.go.text import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hyperbox.bake.entitlements import Entitlements

MOST_LEVELS = 200  # of inheritance and of groups within groups


class Chosen(NamedTuple):
    """What a command is about: targets and groups, by name."""

    targets: dict[str, Target]
    groups: dict[str, Group]


def choose(
    config: Config, names: Sequence[str], words: Sequence[str], granted: Entitlements, environment: Mapping[str, str]
) -> Chosen:
    """Return the targets and groups that are named, resolved. Raises BakeError."""
    return _Chooser(config, words, granted, environment).choose(names)


def _copy(group: Group) -> Group:
    return Group(group.name, group.targets, group.description, unset=group.unset)


class _Chooser:
    def __init__(
        self, config: Config, words: Sequence[str], granted: Entitlements, environment: Mapping[str, str]
    ) -> None:
        self.groups: dict[str, Group] = {}
        self.definitions: dict[str, Target] = {}
        for group in config.groups:
            self.groups.setdefault(group.name, group)
        for target in config.targets:
            self.definitions.setdefault(target.name, target)
        self.granted = granted
        self.words = words
        self.environment = environment
        self.overrides: dict[str, dict[str, Override]] = {}

    def choose(self, names: Sequence[str]) -> Chosen:
        wanted = list(dict.fromkeys(each for name in names for each in self._matching(name.replace(".", "_"))))
        self.overrides = parse_overrides(self.words, list(self.definitions), self.environment)
        targets: dict[str, Target] = {}
        groups: dict[str, Group] = {}
        for name in wanted:
            inner, around = self._expand(name, {}, 0)
            for each in dict.fromkeys(inner):
                targets[each] = self.resolve(each)
            for each in around:
                groups[each] = _copy(self.groups[each])
        default = groups.get("default")
        added = [name for name in wanted if not (name == "default" and default is not None)]
        if added:
            default = groups.setdefault("default", Group("default"))
            default.targets += added
        if default is not None:
            default.targets = sorted(dict.fromkeys(default.targets))
        for name in list(targets):
            self._link(name, targets[name], targets, ())
        return Chosen(targets, groups)

    def _matching(self, pattern: str) -> list[str]:
        if not any(sign in pattern for sign in "*?[]"):
            return [pattern]
        try:
            form = compiled(pattern)
        except ValueError:  # nothing has the form of what is no pattern
            form = None
        found = [name for name in (*self.groups, *self.definitions) if form and form.match(name)]
        if not found:
            raise BakeError(f"could not find any target matching {quote(pattern)}")
        return found

    def _expand(
        self, name: str, seen: dict[str, tuple[list[str], list[str]]], level: int
    ) -> tuple[list[str], list[str]]:
        """Return the targets and the groups that a name stands for."""
        if name in seen:
            return seen[name]
        group = self.groups.get(name)
        if group is None:
            return [name], []
        if level > MOST_LEVELS:
            raise BakeError("groups are nested too deeply")
        seen[name] = ([], [])
        targets: dict[str, None] = {}
        groups: dict[str, None] = {name: None}
        for each in group.targets:
            inner, around = self._expand(each, seen, level + 1)
            targets.update(dict.fromkeys(inner or [each]))
            groups.update(dict.fromkeys(around))
        seen[name] = (list(targets), list(groups))
        return seen[name]

    def resolve(self, name: str) -> Target:
        """Return a target with what it inherits and what --set changes. Raises BakeError."""
        found = self._inherited(name, {}, 0)
        assert found is not None
        target = Target(name, found.values)
        target.values.pop("inherits", None)
        if target.text("context") is None:
            target.values["context"] = "."
        if not target.text("dockerfile"):
            target.values["dockerfile"] = "Dockerfile"
        return target

    def _inherited(self, name: str, seen: dict[str, Target | None], level: int) -> Target | None:
        if name in seen:
            return seen[name]
        seen[name] = None
        definition = self.definitions.get(name)
        if definition is None:
            raise BakeError(f"failed to find target {name}")
        if level > MOST_LEVELS:
            raise BakeError("targets inherit from each other over too many levels")
        made = Target(name)
        for parent in definition.texts("inherits"):
            inherited = self._inherited(parent, seen, level + 1)
            if inherited is not None:
                made.merge(inherited)
        made.merge(definition)
        add_overrides(made, self.overrides.get(name, {}), self.granted)
        made.normalize()
        seen[name] = made
        return made

    def _link(self, name: str, target: Target, targets: dict[str, Target], visited: tuple[str, ...]) -> None:
        """Resolve the targets on which one builds. Raises BakeError."""
        visited = (*visited, name)
        if len(visited) > MOST_LEVELS:
            raise BakeError("targets build on each other over too many levels")
        for context in target.pairs("contexts").values():
            other = context.removeprefix("target:")
            if other == context:
                continue
            if other == name:
                raise BakeError(f"target {other} cannot link to itself")
            if other in visited:
                raise BakeError(f"infinite loop from {name} to {other}")
            linked = targets.get(other)
            if linked is None:
                linked = targets[other] = self.resolve(other)
                linked.values["output"] = (Entry("cacheonly"),)
                linked.linked = True
            self._link(other, linked, targets, visited)
            more = [each for each in linked.texts("entitlements") if each not in target.texts("entitlements")]
            if more:
                target.values["entitlements"] = (*target.texts("entitlements"), *more)
            mine, theirs = target.texts("platforms"), linked.texts("platforms")
            if len(mine) > 1 and len(theirs) > 1 and not set(mine) <= set(theirs):
                shown = f"[{' '.join(mine)}] are not a subset of [{' '.join(theirs)}]"
                raise BakeError(f"target {other} can't be used by {name} because its platforms {shown}")
