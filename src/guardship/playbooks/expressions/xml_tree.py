"""An XML document as a tree that keeps what the host keeps: CDATA sections, comments, the declaration as written, and `<e/>` apart from `<e></e>`.

Text that is only white space between tags is dropped, and a document is written the way .NET's `OuterXml` writes it: `<e />`.
"""

import re
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from xml.parsers import expat

from guardship.playbooks.expressions.values import EvaluationFailed

MOST_DEPTH = 200
_TAG = re.compile(rb"<(?:[^>\"']|\"[^\"]*\"|'[^']*')*>")
_DECLARED = re.compile(rb"""<\?xml\s[^>]*?encoding\s*=\s*["']([^"']+)["']""")
_ALWAYS_KNOWN = {"xml", "xmlns"}
_IN_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#xD;"})
_IN_ATTRIBUTE = _IN_TEXT | str.maketrans({'"': "&quot;", "\n": "&#xA;", "\t": "&#x9;"})


@dataclass(slots=True)
class Text:
    value: str
    is_cdata: bool = False


@dataclass(slots=True)
class Comment:
    value: str


@dataclass(slots=True)
class Instruction:
    target: str
    data: str


@dataclass(slots=True)
class Declaration:
    version: str
    encoding: str | None
    standalone: str | None


@dataclass(slots=True)
class Doctype:
    name: str
    public: str | None
    system: str | None


@dataclass(slots=True)
class Element:
    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list["Node"] = field(default_factory=list)
    is_empty: bool = True  # written `<e />`


Node: TypeAlias = Element | Text | Comment | Instruction | Declaration | Doctype


def parse_xml_bytes(content: bytes) -> list[Node]:
    """As `parse_xml`, of bytes in the encoding that their declaration names."""
    declared = _DECLARED.match(content)
    encoding = declared[1].decode("ascii", "replace") if declared else "utf-8"
    try:
        text = content.decode(encoding)
    except (LookupError, ValueError) as error:
        raise EvaluationFailed(f"The XML says that it is written in '{encoding}', and is not.") from error
    return parse_xml(text.removeprefix("\ufeff"))


def parse_xml(text: str) -> list[Node]:
    """The nodes at the top of the document; raises EvaluationFailed with line and column."""
    source = text.encode("utf-8", "surrogatepass")
    reader = _Reader(source)
    try:
        reader.parser.Parse(source, True)
    except expat.ExpatError as error:
        where = f"line {error.lineno}, column {error.offset + 1}"
        raise EvaluationFailed(f"The value is not valid XML: {expat.ErrorString(error.code)} at {where}.") from error
    return reader.top


class _Reader:
    def __init__(self, source: bytes) -> None:
        self.top: list[Node] = []
        self._source = source
        self._open: list[Element] = []
        self._keeps_space: list[bool] = [False]
        self._prefixes: list[set[str]] = [_ALWAYS_KNOWN]
        self._section: Text | None = None  # the CDATA section that is being read
        self.parser = expat.ParserCreate("utf-8")  # whatever the declaration names: the text is decoded already
        self.parser.buffer_text = True
        self.parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.StartCdataSectionHandler = self._start_section
        self.parser.EndCdataSectionHandler = self._end_section
        self.parser.CommentHandler = lambda value: self._add(Comment(value))
        self.parser.ProcessingInstructionHandler = lambda target, data: self._add(Instruction(target, data))
        self.parser.XmlDeclHandler = self._declaration
        self.parser.StartDoctypeDeclHandler = lambda name, system, public, _: self._add(Doctype(name, public, system))
        self.parser.EntityDeclHandler = self._refuse_entity
        self.parser.SkippedEntityHandler = self._refuse_entity

    def _add(self, node: Node) -> None:
        (self._open[-1].children if self._open else self.top).append(node)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        tag = _TAG.match(self._source, self.parser.CurrentByteIndex)
        self._prefixes.append(self._prefixes[-1] | {each.removeprefix("xmlns:") for each in attributes if each.startswith("xmlns:")})
        for prefix in [each.partition(":")[0] for each in (name, *attributes) if ":" in each]:
            if prefix not in self._prefixes[-1]:
                raise EvaluationFailed(f"The XML uses the prefix '{prefix}' and does not declare it.")
        element = Element(name, attributes, is_empty=tag is not None and tag[0].endswith(b"/>"))
        self._add(element)
        self._open.append(element)
        if len(self._open) > MOST_DEPTH:
            raise EvaluationFailed(f"The XML nests more than {MOST_DEPTH} deep.")
        space = attributes.get("xml:space")
        self._keeps_space.append(self._keeps_space[-1] if space is None else space == "preserve")

    def _end(self, _name: str) -> None:
        self._open.pop()
        self._keeps_space.pop()
        self._prefixes.pop()

    def _text(self, value: str) -> None:
        if self._section is not None:
            self._section.value += value
        elif self._open and (self._keeps_space[-1] or value.strip(" \t\r\n")):
            self._add(Text(value))

    def _start_section(self) -> None:
        self._section = Text("", is_cdata=True)
        self._add(self._section)

    def _end_section(self) -> None:
        self._section = None

    def _declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        if version != "1.0":
            raise EvaluationFailed(f"The XML is of version '{version}'; only 1.0 is taken.")
        self._add(Declaration(version, encoding, {0: "no", 1: "yes"}.get(standalone)))

    def _refuse_entity(self, name: str, *_: Any) -> None:
        raise EvaluationFailed(f"The XML names the entity '{name}': entities other than the five of XML itself are not taken.")


def write_xml(nodes: list[Node]) -> str:
    return "".join(map(_written, nodes))


def _written(node: Node) -> str:
    match node:
        case Element():
            attributes = "".join(f' {name}="{value.translate(_IN_ATTRIBUTE)}"' for name, value in node.attributes.items())
            if not node.children and node.is_empty:
                return f"<{node.name}{attributes} />"
            return f"<{node.name}{attributes}>{write_xml(node.children)}</{node.name}>"
        case Text(value, is_cdata):
            return f"<![CDATA[{value}]]>" if is_cdata else value.translate(_IN_TEXT)
        case Comment(value):
            return f"<!--{value}-->"
        case Instruction(target, data):
            return f"<?{target} {data}?>" if data else f"<?{target}?>"
        case Declaration(version, encoding, standalone):
            rest = (f' encoding="{encoding}"' if encoding else "") + (f' standalone="{standalone}"' if standalone else "")
            return f'<?xml version="{version}"{rest}?>'
        case Doctype(name, public, system):
            where = f' PUBLIC "{public}" "{system or ""}"' if public else f' SYSTEM "{system}"' if system else ""
            return f"<!DOCTYPE {name}{where}[]>"
