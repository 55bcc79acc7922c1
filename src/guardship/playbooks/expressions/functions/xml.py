"""`xml` and `xpath`: XML content in its envelope, and what an XPath 1.0 expression finds in it."""

from typing import Any

from lxml import etree

from guardship.playbooks.expressions.arguments import text
from guardship.playbooks.expressions.entry import Entry
from guardship.playbooks.expressions.values import CONTENT, CONTENT_TYPE, EvaluationFailed, Value, content_bytes, content_of, is_content
from guardship.playbooks.expressions.xml_json import nodes_of
from guardship.playbooks.expressions.xml_tree import parse_xml, parse_xml_bytes, write_xml

XML_TYPE = "application/xml;charset=utf-8"


def xml(value: Value) -> Value:
    """Content is only named XML, text and objects are read and written anew."""
    if isinstance(value, dict) and is_content(value):
        return {CONTENT_TYPE: XML_TYPE, CONTENT: value[CONTENT]}
    nodes = parse_xml(value) if isinstance(value, str) else nodes_of(value)
    return content_of(write_xml(nodes).encode(), XML_TYPE)


def xpath(source: Value, path: Value) -> Value:
    """A number, text or boolean as it is; nodes as a list, elements in their envelope."""
    if not (isinstance(source, dict) and is_content(source)):
        raise EvaluationFailed("The template language function 'xpath' expects its first parameter to be an XML object.")
    written = write_xml(parse_xml_bytes(content_bytes(source)))
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, encoding="utf-8")
    try:
        found = etree.fromstring(written.encode(), parser).getroottree().xpath(text("xpath", path))
    except (etree.XPathError, etree.XMLSyntaxError) as error:
        raise EvaluationFailed(f"The template language function 'xpath' cannot use '{path}': {error}.") from error
    return [_node(each) for each in found] if isinstance(found, list) else _plain(found)


def _plain(value: Any) -> Value:
    return str(value) if isinstance(value, str) else value  # lxml's text is a subclass that holds its tree


def _node(found: Any) -> Value:
    if isinstance(found, etree._Element | etree._ElementTree):
        nodes = parse_xml(etree.tostring(found, encoding="unicode", with_tail=False))
        return content_of(write_xml(nodes).encode(), XML_TYPE)
    if isinstance(found, tuple):  # a namespace: prefix and address
        return str(found[1])
    return str(found)


TABLE = (Entry("xml", 1, 1, xml), Entry("xpath", 2, 2, xpath))
