"""XML as JSON and back, by the convention the host uses: `@attribute`, `#text`, `#cdata-section`, `?xml`, repeats an array, an empty element null."""

import re
from collections.abc import Callable
from typing import Any

from guardship.playbooks.expressions.values import EvaluationFailed, Value, number_text
from guardship.playbooks.expressions.xml_tree import MOST_DEPTH, Comment, Declaration, Doctype, Element, Instruction, Node, Text

_TEXT, _CDATA, _COMMENT, _DOCTYPE, _DECLARATION = "#text", "#cdata-section", "#comment", "!DOCTYPE", "?xml"
_ENCODED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_LOOKS_ENCODED = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")
_NAME_START = re.compile(
    r"[:A-Z_a-z\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u02FF\u0370-\u037D\u037F-\u1FFF\u200C-\u200D\u2070-\u218F\u2C00-\u2FEF\u3001-\uD7FF]"
)
_NAME = re.compile(_NAME_START.pattern[:-1] + r"\-.0-9\u00B7\u0300-\u036F\u203F-\u2040]")


def json_of(nodes: list[Node]) -> dict[str, Any]:
    """The document as an object; nodes of the same name are grouped where the first of them stands."""
    return _grouped(nodes)


def _grouped(nodes: list[Node]) -> dict[str, Any]:
    groups: dict[str, list[Node]] = {}
    for node in nodes:
        groups.setdefault(_name_of(node), []).append(node)
    made: dict[str, Any] = {}
    for name, group in groups.items():
        if len(group) > 1:
            made[name] = [_value_of(node) for node in group if not isinstance(node, Comment)]
        elif not isinstance(group[0], Comment):  # one comment alone is a comment in the JSON too, so nothing
            made[name] = _value_of(group[0])
    return made


def _name_of(node: Node) -> str:
    match node:
        case Element(name):
            return _ENCODED.sub(lambda found: chr(int(found[1], 16)), name)
        case Text(_, is_cdata):
            return _CDATA if is_cdata else _TEXT
        case Comment():
            return _COMMENT
        case Instruction(target):
            return f"?{target}"
        case Declaration():
            return _DECLARATION
        case Doctype():
            return _DOCTYPE


def _value_of(node: Node) -> Any:
    match node:
        case Element():
            return _element_value(node)
        case Text(value) | Comment(value) | Instruction(_, value):
            return value
        case Declaration(version, encoding, standalone):
            return _present({"@version": version, "@encoding": encoding, "@standalone": standalone})
        case Doctype(name, public, system):
            return _present({"@name": name, "@public": public, "@system": system})


def _element_value(element: Element) -> Any:
    if not element.attributes:
        match element.children:
            case [Text(value, False)]:
                return value
            case []:
                return None if element.is_empty else ""
    return {f"@{name}": value for name, value in element.attributes.items()} | _grouped(element.children)


def _present(values: dict[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}


def nodes_of(value: Value) -> list[Node]:
    """The document an object stands for; raises EvaluationFailed unless it has one root."""
    if not isinstance(value, dict):
        raise EvaluationFailed("The template language function 'xml' expects a string or an object with one property, its root.")
    holder = Element("")
    _fill(holder, value, 0)
    roots = [node for node in holder.children if isinstance(node, Element)]
    if len(roots) > 1 or holder.attributes or any(isinstance(node, Text) for node in holder.children):
        raise EvaluationFailed(
            "The value cannot be written as XML: the JSON root object has multiple properties or plain values. It must have one, the root element."
        )
    return holder.children


def _fill(parent: Element, properties: dict[str, Any], depth: int) -> None:
    if depth > MOST_DEPTH:
        raise EvaluationFailed(f"The value nests more than {MOST_DEPTH} deep.")
    for name, value in properties.items():
        for each in value if isinstance(value, list) else [value]:
            _append(parent, name, each, depth)


def _append(parent: Element, name: str, value: Any, depth: int) -> None:
    if not name:
        raise EvaluationFailed("The value cannot be written as XML: a property has an empty name.")
    special = _SPECIAL.get(name)
    if special is not None:
        parent.children.append(special(value))
    elif name == _COMMENT:
        parent.children.append(Comment(_written(value)))
    elif name.startswith("@"):
        parent.attributes[encoded_name(name[1:])] = _written(value)
    elif name.startswith("?"):
        parent.children.append(Instruction(name[1:], _written(value)))
    else:
        parent.children.append(_element(encoded_name(name), value, depth))


def _element(name: str, value: Any, depth: int) -> Element:
    element = Element(name)
    if isinstance(value, dict):
        _fill(element, value, depth + 1)
    elif isinstance(value, list):
        _fill(element, {name: value}, depth + 1)
    elif value is not None:
        element.is_empty = False
        if text := _written(value):
            element.children.append(Text(text))
    return element


def _written(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        raise EvaluationFailed("The value cannot be written as XML: a text, comment or attribute holds an object or array.")
    return value if isinstance(value, str) else number_text(value)


def _attribute(value: Any, name: str) -> str | None:
    found = value.get(f"@{name}") if isinstance(value, dict) else None
    return None if found is None else _written(found)


_SPECIAL: dict[str, Callable[[Any], Node]] = {
    _TEXT: lambda value: Text(_written(value)),
    _CDATA: lambda value: Text(_written(value), is_cdata=True),
    _DECLARATION: lambda value: Declaration(
        _attribute(value, "version") or "1.0", _attribute(value, "encoding"), _attribute(value, "standalone")
    ),
    _DOCTYPE: lambda value: Doctype(_attribute(value, "name") or "", _attribute(value, "public"), _attribute(value, "system")),
}


def encoded_name(name: str) -> str:
    """A name that XML takes: what it does not is written `_x0020_`."""
    marked = _LOOKS_ENCODED.sub("_x005F_", name)
    return "".join(
        each if (_NAME if index else _NAME_START).fullmatch(each) else f"_x{ord(each):04X}_" for index, each in enumerate(marked)
    )
