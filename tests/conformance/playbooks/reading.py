"""Follows every expression of a definition back to the answer it reads: the action whose body it is, and the properties on the way."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.conformance.playbooks.shapes import ITEM, Shape

from guardship.playbooks.actions.reading import field_of
from guardship.playbooks.expressions.parser import parse_template
from guardship.playbooks.expressions.syntax import Access, Call, ExpressionSyntax, Literal, Node, Whole, nodes_of

TRIGGER = ""
_NOT_READ = ("actions", "cases", "else", "default", "runafter", "description", "type", "kind")
_OF_ITEMS = ("first", "last")
_SAME = ("coalesce", "array", "string", "if")
_TAKES = {
    "moment": """formatdatetime adddays addhours addminutes addseconds addtotime subtractfromtime converttimezone convertfromutc
        converttoutc ticks dayofweek dayofmonth dayofyear startofday startofhour startofmonth parsedatetime datedifference""",
    "string": """concat split replace substring indexof lastindexof startswith endswith tolower toupper trim uricomponent
        encodeuricomponent base64 decodeuricomponent uricomponenttostring slice urihost uripath""",
    "figures": "int float decimal",
    "number": "add sub mul div mod max min range formatnumber",
    "array": "join union intersection skip take reverse sort",
    "base64": "base64tostring decodebase64 base64tobinary",
    "xml": "xml",
}
_KIND_TAKEN = {name: kind for kind, names in _TAKES.items() for name in names.split()}
_COMPARISONS = ("equals", "greater", "greaterorequals", "less", "lessorequals", "contains", "startswith", "endswith")


@dataclass(frozen=True, slots=True)
class Origin:
    """An answer, and the properties that lead to a value in it."""

    action: str
    keys: tuple[str, ...] = ()
    is_text: bool = False  # what the keys below lead to lies in a text of JSON

    def key(self, name: str) -> "Origin":
        return Origin(self.action, (*self.keys, name), self.is_text)


@dataclass(slots=True)
class Readings:
    """The shape of every action's outputs and of the trigger's, by folded name."""

    shapes: dict[str, Shape] = field(default_factory=dict)
    aliases: dict[str, Origin] = field(default_factory=dict)  # the body of an action that hands on what another answered
    variables: dict[str, Origin] = field(default_factory=dict)
    loops: dict[str, Origin] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)  # of variables

    def outputs(self, action: str) -> Shape:
        return self.shapes.setdefault(action.casefold(), Shape())

    def body(self, action: str) -> Any:
        """What it must answer; None where nobody reads it."""
        shape = next((inner for name, inner in self.outputs(action).properties.items() if name.lower() == "body"), None)
        return shape.made() if shape is not None else None

    def headers(self, action: str) -> dict[str, str]:
        shape = next((inner for name, inner in self.outputs(action).properties.items() if name.lower() == "headers"), None)
        made = shape.made() if shape is not None else None
        return {name: str(value if value is not None else "text") for name, value in made.items()} if isinstance(made, dict) else {}

    def at(self, origin: Origin) -> Shape:
        return self.outputs(origin.action).below(list(origin.keys))


def read_definition(definition: Any) -> Readings:
    readings = Readings()
    triggers = field_of(definition, "triggers", {}) if isinstance(definition, dict) else {}
    for trigger in triggers.values() if isinstance(triggers, dict) else ():
        inputs = field_of(trigger, "inputs") if isinstance(trigger, dict) else None
        if isinstance(inputs, dict) and isinstance(field_of(inputs, "schema"), dict):
            readings.outputs(TRIGGER).below(["body"]).schema = field_of(inputs, "schema")
    listed = list(_actions(definition))
    for _ in range(2):  # what hands on an answer may be written before what it hands on
        for name, action, loops in listed:
            _note_sources(name, action, loops, readings)
    for _, action, loops in listed:
        _note_uses(action, loops, readings)
    if isinstance(definition, dict):
        _walk(field_of(definition, "outputs"), (), readings)
    return readings


def _actions(document: Any, loops: tuple[str, ...] = ()) -> Iterator[tuple[str, dict[str, Any], tuple[str, ...]]]:
    """Every action with the loops around it, outermost first."""
    listed = field_of(document, "actions") if isinstance(document, dict) else None
    for name, action in listed.items() if isinstance(listed, dict) else ():
        if not isinstance(action, dict):
            continue
        yield name, action, loops
        inside = (*loops, name) if str(field_of(action, "type", "")).lower() == "foreach" else loops
        yield from _actions(action, inside)
        for part in ("else", "default"):
            yield from _actions(field_of(action, part), inside)
        cases = field_of(action, "cases")
        for case in cases.values() if isinstance(cases, dict) else ():
            yield from _actions(case, inside)


def _note_sources(name: str, action: dict[str, Any], loops: tuple[str, ...], readings: Readings) -> None:
    kind = str(field_of(action, "type", "")).lower()
    inputs = field_of(action, "inputs")
    folded = name.casefold()
    match kind:
        case "foreach":
            if (origin := _origin_of(field_of(action, "foreach"), loops, readings)) is not None:
                readings.loops[folded] = origin.key(ITEM)
        case "parsejson" if isinstance(inputs, dict):
            if (origin := _origin_of(field_of(inputs, "content"), loops, readings)) is not None:
                readings.aliases[folded] = origin
                if isinstance(field_of(inputs, "schema"), dict):
                    readings.at(origin).schema = field_of(inputs, "schema")
        case "query" | "select" if isinstance(inputs, dict):
            if (origin := _origin_of(field_of(inputs, "from"), loops, readings)) is not None:
                readings.loops[folded] = origin.key(ITEM)
                if kind == "query":
                    readings.aliases[folded] = origin
        case "compose":
            if (origin := _origin_of(inputs, loops, readings)) is not None:
                readings.aliases[f"{folded}/outputs"] = origin
        case "setvariable" if isinstance(inputs, dict):
            _note_variable(field_of(inputs, "name", ""), field_of(inputs, "value"), loops, readings)
        case "initializevariable" if isinstance(inputs, dict):
            for entry in field_of(inputs, "variables") or ():
                if isinstance(entry, dict):
                    readings.types[str(field_of(entry, "name", "")).casefold()] = str(field_of(entry, "type", "")).lower()
                    _note_variable(field_of(entry, "name", ""), field_of(entry, "value"), loops, readings)


def _note_variable(name: Any, value: Any, loops: tuple[str, ...], readings: Readings) -> None:
    """What is put into a variable is of its type, and what is read of the variable is read of that."""
    origin = _origin_of(value, loops, readings)
    if origin is None:
        return
    folded = str(name).casefold()
    readings.variables.setdefault(folded, origin)
    kind = readings.types.get(folded, "")
    readings.at(origin).is_a({"integer": "number", "float": "number"}.get(kind, kind))


def _origin_of(text: Any, loops: tuple[str, ...], readings: Readings) -> Origin | None:
    """Where a string that is one expression comes from."""
    if not isinstance(text, str):
        return None
    try:
        template = parse_template(text)
    except ExpressionSyntax:
        return None
    nodes = nodes_of(template)
    return _origin(nodes[0], loops, readings) if isinstance(template, Whole) or len(nodes) == 1 else None


def _origin(node: Node, loops: tuple[str, ...], readings: Readings) -> Origin | None:
    match node:
        case Access():
            target = _origin(node.target, loops, readings)
            if target is None or not isinstance(node.key, Literal):
                return None if target is None else target.key(ITEM)
            if isinstance(node.key.value, str):
                return _stepped(target, node.key.value)
            return target.key(ITEM)
        case Call():
            return _origin_of_call(node, loops, readings)
        case _:
            return None


def _stepped(origin: Origin, name: str) -> Origin | None:
    """`actions('X')['outputs']` is what `outputs('X')` is."""
    if origin.keys == ("<action>",):
        return Origin(origin.action) if name.lower() == "outputs" else None
    return origin.key(name)


def _origin_of_call(call: Call, loops: tuple[str, ...], readings: Readings) -> Origin | None:
    name = call.name.lower()
    first = call.arguments[0] if call.arguments else None
    named = str(first.value) if isinstance(first, Literal) and isinstance(first.value, str) else ""
    match name:
        case "body" if named:
            return readings.aliases.get(named.casefold()) or Origin(named, ("body",))
        case "outputs" if named:
            return readings.aliases.get(f"{named.casefold()}/outputs") or Origin(named)
        case "actions" if named:
            return Origin(named, ("<action>",))
        case "triggerbody":
            return Origin(TRIGGER, ("body",))
        case "triggeroutputs":
            return Origin(TRIGGER)
        case "variables" if named:
            return readings.variables.get(named.casefold())
        case "items" if named:
            return readings.loops.get(named.casefold())
        case "item":
            return readings.loops.get(loops[-1].casefold()) if loops else None
        case "json" if first is not None:
            return _text_of(_origin(first, loops, readings), readings)
    inner = _origin(first, loops, readings) if first is not None else None
    if inner is None:
        return None
    return inner.key(ITEM) if name in _OF_ITEMS else inner if name in _SAME else None


def _text_of(origin: Origin | None, readings: Readings) -> Origin | None:
    """`json(x)`: x is a text, and what is read goes on inside it."""
    if origin is not None:
        readings.at(origin).kind = "json"
    return origin


def _note_uses(action: dict[str, Any], loops: tuple[str, ...], readings: Readings) -> None:
    kind = str(field_of(action, "type", "")).lower()
    if (origin := _origin_of(field_of(action, "foreach"), loops, readings)) is not None:
        readings.at(origin.key(ITEM))
    inputs = field_of(action, "inputs")
    inside = loops
    source = _origin_of(field_of(inputs, "from"), loops, readings) if isinstance(inputs, dict) else None
    if kind in ("query", "select", "table", "join") and source is not None:
        readings.at(source).is_a("array")
        own = f"<{id(action)}>"  # `item()` in its inputs
        readings.loops[own] = source.key(ITEM)
        inside = (*loops, own)
    for part, value in action.items():
        if part.lower() not in _NOT_READ:
            _walk(value, inside if part.lower() == "inputs" else loops, readings)


def _walk(value: Any, loops: tuple[str, ...], readings: Readings) -> None:
    match value:
        case str() if "@" in value:
            try:
                template = parse_template(value)
            except ExpressionSyntax:
                return
            for node in nodes_of(template):
                _use(node, loops, readings)
        case list():
            for inner in value:
                _walk(inner, loops, readings)
        case dict():
            for name, inner in value.items():
                if name.lower() == "schema":
                    continue
                if name.lower() in _COMPARISONS and isinstance(inner, list) and len(inner) == 2:
                    _compare(name.lower(), _node_of(inner[0]), _node_of(inner[1]), loops, readings)
                _walk(inner, loops, readings)


def _node_of(operand: Any) -> Node | None:
    """An operand of a condition as an expression."""
    if not isinstance(operand, str):
        return Literal(operand, 0, 0) if isinstance(operand, int | float) else None
    try:
        template = parse_template(operand)
    except ExpressionSyntax:
        return None
    return template.node if isinstance(template, Whole) else Literal(operand, 0, 0) if isinstance(template, str) else None


def _use(node: Node, loops: tuple[str, ...], readings: Readings) -> None:
    """What a part of an expression says of the value it works on."""
    origin = _origin(node, loops, readings)
    if origin is not None and origin.keys != ("<action>",):
        readings.at(origin)
    match node:
        case Access():
            _use(node.target, loops, readings)
            _use(node.key, loops, readings)
        case Call():
            name = node.name.lower()
            if name in _COMPARISONS and len(node.arguments) == 2:
                _compare(name, node.arguments[0], node.arguments[1], loops, readings)
            for argument in node.arguments:
                _use(argument, loops, readings)
                _note_argument(name, argument, loops, readings)


def _note_argument(name: str, argument: Node, loops: tuple[str, ...], readings: Readings) -> None:
    origin = _origin(argument, loops, readings)
    if origin is None or origin.keys == ("<action>",):
        return
    if name in _KIND_TAKEN:
        readings.at(origin).is_a(_KIND_TAKEN[name])


def _compare(name: str, left: Node | None, right: Node | None, loops: tuple[str, ...], readings: Readings) -> None:
    for one, other in ((left, right), (right, left)):
        if one is None or not isinstance(other, Literal) or other.value is None:
            continue
        origin = _origin(one, loops, readings)
        if origin is None or origin.keys == ("<action>",):
            continue
        shape = readings.at(origin)
        if shape.value is None:
            shape.value = _fitting(name, other.value, is_left=one is left)


def _fitting(name: str, value: Any, *, is_left: bool) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    above = (name in ("greater", "greaterorequals")) == is_left
    return value if name in ("equals", "contains") else value + 1 if above else value - 1
