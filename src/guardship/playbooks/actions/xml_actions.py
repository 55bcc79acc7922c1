"""Xslt and XmlValidation: the maps and schemas come with the playbook, as the Artifacts folder of a Standard app or a parameter.

    {"type": "Xslt", "inputs": {"content": "@triggerBody()", "map": {"name": "to-alert"}, "transformOptions": "OmitXmlDeclaration"}}
    {"type": "XmlValidation", "inputs": {"content": "@triggerBody()", "schema": {"name": "alert"}}}

A stylesheet reads nothing but its input: no file, no network. The classic form names them under `integrationAccount`; the same names are
looked for in the playbook's own artifacts.
"""

from typing import Any

from lxml import etree

from guardship.playbooks.actions.reading import Reading, field_of
from guardship.playbooks.definition import Immediate, Outcome, Path, Status
from guardship.playbooks.expressions.evaluate import Scope
from guardship.playbooks.expressions.values import EvaluationFailed, Value, content_of, content_text, is_content, text_of

_NO_ACCESS = etree.XSLTAccessControl.DENY_ALL


def read_xslt(document: dict[str, Any], path: Path, reading: Reading) -> Immediate | None:
    inputs, found = _artifact(document, path, reading, "map", "maps")
    if found is None:
        return None
    place = (*path, "inputs")
    try:
        transform = etree.XSLT(_parsed(found.encode()), access_control=_NO_ACCESS)
    except (etree.XMLSyntaxError, etree.XSLTParseError) as error:
        reading.problem(place, f"the map cannot be read: {error}", "InvalidArtifact")
        return None
    content = reading.tree(field_of(inputs, "content"), (*place, "content"))
    parameters = reading.tree(_parameters(inputs), (*place, "parameters"))
    omits_declaration = "omitxmldeclaration" in str(field_of(inputs, "transformOptions", "")).lower()

    def perform(scope: Scope) -> Outcome:
        given = content(scope)
        values = parameters(scope)
        named = {name: etree.XSLT.strparam(text_of(value)) for name, value in values.items()} if isinstance(values, dict) else {}
        try:
            made = transform(_document(given), **named)
        except etree.XSLTApplyError as error:
            raise EvaluationFailed(f"The map failed: {error}") from error
        written = bytes(made).decode("utf-8", errors="replace") if made is not None else ""
        if omits_declaration and written.startswith("<?xml"):
            written = written.partition("?>")[2].lstrip("\r\n")
        shown = {"content": given, **({"parameters": values} if values else {})}
        return Outcome(shown, {"body": content_of(written.encode(), "application/xml; charset=utf-8")})

    return Immediate(perform)


def read_validation(document: dict[str, Any], path: Path, reading: Reading) -> Immediate | None:
    inputs, found = _artifact(document, path, reading, "schema", "schemas")
    if found is None:
        return None
    place = (*path, "inputs")
    try:
        schema = etree.XMLSchema(_parsed(found.encode()))
    except (etree.XMLSyntaxError, etree.XMLSchemaParseError) as error:
        reading.problem(place, f"the schema cannot be read: {error}", "InvalidArtifact")
        return None
    content = reading.tree(field_of(inputs, "content"), (*place, "content"))

    def perform(scope: Scope) -> Outcome:
        given = content(scope)
        if schema.validate(_document(given)):
            return Outcome({"content": given}, {"body": given})
        first = schema.error_log[0]
        message = f"The content does not fit the schema: line {first.line}: {first.message}"
        return Outcome({"content": given}, None, Status.FAILED, "XmlValidationFailed", {"code": "XmlValidationFailed", "message": message})

    return Immediate(perform)


def _artifact(document: dict[str, Any], path: Path, reading: Reading, what: str, where: str) -> tuple[dict[str, Any], str | None]:
    """The inputs, and the text of the map or schema they name."""
    place = (*path, "inputs")
    inputs = reading.object(field_of(document, "inputs"), place, what="the inputs of the action")
    account = field_of(inputs, "integrationAccount")
    named = field_of(inputs, what) or (field_of(account, what) if isinstance(account, dict) else None)
    name = str(field_of(named, "name", "")) if isinstance(named, dict) else ""
    if not name:
        reading.problem(place, f"the action does not name its {what}", "InvalidDefinition")
        return inputs, None
    held = reading.artifacts.get(where, {})
    stem = name.rsplit(".", 1)[0].casefold()
    for known, text in held.items():
        if known.casefold() == name.casefold() or known.rsplit(".", 1)[0].casefold() == stem:
            return inputs, text
    hint = f"it has {', '.join(held)}" if held else f"give it with the playbook, under Artifacts/{where.capitalize()}"
    reading.problem((*place, what), f"the playbook has no {what} called {name}", "MissingArtifact", hint=hint)
    return inputs, None


def _parameters(inputs: dict[str, Any]) -> Any:
    account = field_of(inputs, "integrationAccount")
    named = field_of(account, "map") if isinstance(account, dict) else None
    own = field_of(named, "parameters") if isinstance(named, dict) else None
    return field_of(inputs, "parameters") or own or {}


def _parsed(data: bytes) -> Any:
    return etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False))


def _document(given: Value) -> Any:
    written = content_text(given) if isinstance(given, dict) and is_content(given) else text_of(given)
    try:
        return _parsed(written.encode())
    except etree.XMLSyntaxError as error:
        raise EvaluationFailed(f"The content is not XML: {error}.") from error
