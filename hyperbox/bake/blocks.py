"""The blocks of bake files: targets, several at once where they have a matrix, and groups, evaluated as far as something refers to them."""

from __future__ import annotations

from hyperbox.bake.decode import DecodeError, decode, group_value, target_value, texts
from hyperbox.bake.merged import body_of
from hyperbox.bake.model import FIELDS, Group, Target
from hyperbox.bake.variables import ResolveError
from hyperbox.go.text import quote
from hyperbox.hcl.body import Schema
from hyperbox.hcl.convert import ConversionError, convert
from hyperbox.hcl.evaluate import evaluate
from hyperbox.hcl.positions import Diagnostic, Diagnostics
from hyperbox.hcl.syntax import Attribute, Block, GetAttribute, Reference, start_range
from hyperbox.hcl.types import STRING, map_of
from hyperbox.hcl.values import LimitError, Value, iterable, map_value, object_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hyperbox.bake.definition import Definition
    from hyperbox.hcl.scope import Scope

MOST_TARGETS = 10_000  # of all matrices together
_SCHEMAS = {
    "target": Schema(dict.fromkeys(FIELDS, False)),
    "group": Schema({"targets": True, "description": False}),
}
_NAMING = Schema({"name": False, "matrix": False})


class Instance:
    """One target or group that a block makes: its name, its scope, and what of it is evaluated."""

    __slots__ = ("attributes", "block", "done", "name", "resolving", "scope", "values")

    def __init__(self, block: Block, scope: Scope, name: str, attributes: dict[str, Attribute]) -> None:
        self.block = block
        self.scope = scope
        self.name = name
        self.attributes = attributes
        self.values: dict[str, object] = {}
        self.done: set[str] = set()
        self.resolving: set[str] = set()

    @property
    def target(self) -> Target:
        return Target(self.name, self.values)

    def value(self) -> Value:
        if self.block.type == "target":
            return target_value(self.target)
        targets = self.values.get("targets")
        found = tuple(str(each) for each in targets) if isinstance(targets, tuple) else ()
        return group_value(self.name, str(self.values.get("description") or ""), found)


class Blocks:
    """The blocks of a definition."""

    def __init__(self, definition: Definition, blocks: Sequence[Block]) -> None:
        self.definition = definition
        self.blocks = list(blocks)
        self.instances: dict[int, list[Instance]] = {}
        self.by_name: dict[tuple[str, str], list[Instance]] = {}
        self.named = False

    def known(self, name: str) -> bool:
        """Return whether a name stands for the targets or the groups. It does so only once their names are known."""
        return self.named and name in _SCHEMAS

    def name_all(self) -> None:
        """Make the instances of all blocks. Raises Diagnostics."""
        self.named = True
        count = 0
        for block in self.blocks:
            self.definition.names.setdefault(block.type, map_value({}, map_of(STRING)))
            try:
                made = self._instances(block)
            except ResolveError as error:
                raise Diagnostics([Diagnostic("Invalid name", str(error), block.label_ranges[0])]) from None
            count += len(made)
            if count > MOST_TARGETS:
                raise LimitError(f"they make more than {MOST_TARGETS} targets")
            self.instances[id(block)] = made
        for block in self.blocks:
            for instance in self.instances[id(block)]:
                self.by_name.setdefault((block.type, instance.name), []).append(instance)

    def _instances(self, block: Block) -> list[Instance]:
        from hyperbox.bake.definition import check_name

        problems: list[Diagnostic] = []
        body = body_of(block)
        naming = body.take(_NAMING, problems)[0].attributes
        attributes = body.take(_SCHEMAS[block.type], [])[0].attributes
        if block.type == "group":
            for name in ("matrix", "name"):
                if name in naming:
                    raise ResolveError(f"{name} is not supported for groups")
        label = block.labels[0]
        scopes = self._scopes(naming["matrix"]) if "matrix" in naming else [self.definition.scope]
        check_name(label)
        if "name" in naming and "matrix" not in naming:
            raise ResolveError("name requires matrix")
        names = [self._name(naming["name"], scope) if "name" in naming else label for scope in scopes]
        for place, name in enumerate(names):
            check_name(name)
            if name in names[:place] and len(names) <= MOST_TARGETS:
                raise ResolveError(f"duplicate name {quote(name)}")
        return [Instance(block, scope, name, attributes) for scope, name in zip(scopes, names, strict=True)]

    def _scopes(self, attribute: Attribute) -> list[Scope]:
        """Return a scope for each combination of a matrix."""
        matrix = self._evaluated(attribute, self.definition.scope)
        if matrix.type.kind not in ("map", "object") or not matrix.known or matrix.null:
            raise ResolveError("matrix must be a map")
        rows: list[dict[str, Value]] = [{}]
        for name, each in matrix.fields.items():
            if not each.known or each.null or not iterable(each):
                raise ResolveError("matrix values must be a list")
            items = list(each.fields.values()) if isinstance(each.data, dict) else list(each.items)
            if len(rows) * len(items) > MOST_TARGETS:
                raise LimitError(f"they make more than {MOST_TARGETS} targets")
            rows = [{**row, name: item} for item in items for row in rows]
        return [self.definition.scope.child(row) for row in rows] if matrix.fields else [self.definition.scope]

    def _name(self, attribute: Attribute, scope: Scope) -> str:
        try:
            return convert(self._evaluated(attribute, scope), STRING).text
        except (ConversionError, AssertionError) as error:
            raise ResolveError(str(error) or "a name is required") from None

    def _evaluated(self, attribute: Attribute, scope: Scope) -> Value:
        self.definition.resolve_all(scope, attribute.expression, allow_missing=True)
        problems: list[Diagnostic] = []
        value = evaluate(attribute.expression, scope, problems)
        if problems:
            raise Diagnostics(problems)
        return value

    def resolve_reference(self, reference: Reference) -> None:
        """Evaluate what a reference such as `target.app.args` needs. Raises ResolveError or Diagnostics."""
        kind = reference.root.name
        if not reference.steps:
            raise ResolveError(f"cannot access {kind} as a variable")
        first = reference.steps[0]
        if not isinstance(first, GetAttribute):
            raise ResolveError(f"cannot traverse {kind} without attribute")
        second = reference.steps[1] if len(reference.steps) > 1 else None
        attribute = second.name if isinstance(second, GetAttribute) else None
        for instance in self.by_name.get((kind, first.name), []):
            self._resolve(instance, attribute)
            self._publish(instance)

    def _resolve(self, instance: Instance, only: str | None) -> None:
        """Evaluate an instance, or one attribute of it. Raises ResolveError or Diagnostics."""
        wanted = list(_SCHEMAS[instance.block.type].attributes) if only is None else [only]
        wanted = [name for name in wanted if name not in instance.done]
        if only is not None:
            if not wanted:
                return
            if only in instance.resolving:
                raise ResolveError(f"reference cycle not allowed for {instance.block.type}.{instance.name}.{only}")
            instance.resolving.add(only)
        problems: list[Diagnostic] = []
        found = [(name, attribute) for name, attribute in instance.attributes.items() if name in wanted]
        if only is None:
            body_of(instance.block).take(_SCHEMAS[instance.block.type], problems)
            if problems:
                raise Diagnostics(problems)
        for _, attribute in found:
            self.definition.resolve_all(instance.scope, attribute.expression, allow_missing=True)
        for name, attribute in found:
            self._decode(instance, name, attribute, problems)
        if problems:
            raise Diagnostics(problems)
        instance.done.update(wanted)

    def _decode(self, instance: Instance, name: str, attribute: Attribute, problems: list[Diagnostic]) -> None:
        value = evaluate(attribute.expression, instance.scope, problems)
        try:
            instance.values[name] = texts(value) if name == "targets" else decode(name, value)
        except DecodeError as error:
            place = start_range(attribute.expression)
            problems.append(Diagnostic("Unsuitable value type", f"Unsuitable value: {error}", place))

    def _publish(self, instance: Instance) -> None:
        names = self.definition.names
        before = names.get(instance.block.type)
        fields = dict(before.fields) if before is not None else {}
        fields[instance.name] = instance.value()
        self.definition.scope.budget.charge(len(fields))
        names[instance.block.type] = object_value(fields)

    def evaluate_all(
        self, groups: Sequence[Group], targets: Sequence[Target]
    ) -> tuple[list[Group], list[Target], dict[str, list[str]]]:
        """Return the groups and targets, those of before included, and what the blocks with other names made. Raises Diagnostics."""
        problems: list[Diagnostic] = []
        kept_groups, kept_targets = list(groups), list(targets)
        renamed: dict[str, list[str]] = {}
        for block in self.blocks:
            instances = self.instances[id(block)]
            try:
                for instance in instances:
                    self._resolve(instance, None)
            except Diagnostics as error:
                problems += error.problems
                continue
            except ResolveError as error:
                raise Diagnostics([Diagnostic("Invalid block", str(error), block.label_ranges[0])]) from None
            for instance in instances:
                _keep(instance, kept_groups, kept_targets)
            if block.type == "target" and instances:
                renamed.setdefault(block.labels[0], []).extend(instance.name for instance in instances)
        if problems:
            raise Diagnostics(problems)
        return (
            kept_groups,
            kept_targets,
            {old: new for old, new in renamed.items() if list(dict.fromkeys(new)) != [old]},
        )


def _keep(instance: Instance, groups: list[Group], targets: list[Target]) -> None:
    if instance.block.type == "group":
        listed = instance.values.get("targets")
        made = Group(
            instance.name,
            [str(each) for each in listed] if isinstance(listed, tuple) else [],
            str(instance.values.get("description") or ""),
        )
        places = [place for place, each in enumerate(groups) if each.name == made.name]
        if places:
            groups[places[0]] = made
        else:
            groups.append(made)
        return
    for target in targets:
        if target.name == instance.name:
            target.merge(instance.target)
            return
    targets.append(instance.target)
