"""PowerShell runbooks: their parameter form, read without PowerShell, and the command that runs them where `pwsh` is installed.

Param(
[Parameter(Mandatory=$true)] [string]$VMName,
[ValidateSet("Full", "Selective")] [string]$Kind = "Full"
)
"""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guardship.automation.parameters import Parameter, ScriptError
from guardship.errors import Span

if TYPE_CHECKING:
    from tree_sitter import Node

_SKIPPED = {"function_statement", "script_block_expression", "class_statement"}
_KINDS = {
    "string": "string",
    "int": "int",
    "int32": "int",
    "int64": "int",
    "long": "int",
    "double": "float",
    "float": "float",
    "bool": "bool",
    "boolean": "bool",
    "switch": "bool",
    "hashtable": "object",
    "object": "object",
    "array": "array",
}


def decode(content: bytes) -> str:
    """Script files come with or without a byte order mark, also as UTF-16."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16")
    return content.decode("utf-8-sig")


def powershell_parameters(script: str) -> tuple[Parameter, ...]:
    """The script's own parameters. A script that does not parse in full still gets those of its first parameter block."""
    block = _first_block(_parse(script))
    if block is None:
        return ()
    found = [node for node in _below(block) if node.type == "script_parameter"]
    return tuple(_parameter(node, position) for position, node in enumerate(found))


def check_syntax(script: str) -> None:
    """Raise ScriptError at the first place the grammar does not know. PowerShell itself may know it: a warning, not a refusal."""
    bad = next((node for node in _below(_parse(script)) if node.is_error or node.is_missing), None)
    if bad is not None:
        start, end = len(script.encode()[: bad.start_byte].decode()), len(script.encode()[: bad.end_byte].decode())
        raise ScriptError("the script may not be PowerShell from here on", span=Span.of(script, start, end))


def pwsh() -> str | None:
    """The real path of PowerShell, if this machine has it."""
    found = shutil.which("pwsh")
    return str(Path(found).resolve()) if found else None


def _parse(script: str) -> "Node":
    import tree_sitter  # 5 MB of native code that only publishing a script needs
    import tree_sitter_powershell

    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language()))
    return parser.parse(script.encode()).root_node


def _first_block(node: "Node") -> "Node | None":
    for child in node.children:
        if child.type == "param_block":
            return child
        if child.type not in _SKIPPED and (found := _first_block(child)) is not None:
            return found
    return None


def _below(node: "Node") -> "list[Node]":
    """Every node under this one, in the order of the text; nested script blocks are not entered."""
    found, waiting = [], [node]
    while waiting:
        each = waiting.pop()
        found.append(each)
        if each is node or each.type not in _SKIPPED:
            waiting += reversed(each.children)
    return found


def _parameter(node: "Node", position: int) -> Parameter:
    variable = next(child for child in node.children if child.type == "variable")
    default = next((child for child in node.children if child.type == "script_parameter_default"), None)
    attributes = [child for child in _below(node) if child.type == "attribute"]
    kind, mandatory, text = "string", False, ""
    choices: tuple[str, ...] = ()
    for attribute in attributes:
        words = _text(attribute).strip()[1:-1].strip()
        name = words.split("(", 1)[0].strip().lower()
        if name == "parameter":
            mandatory = mandatory or _is_mandatory(words)
            text = text or _quoted_after(words, "helpmessage")
        elif name == "validateset":
            choices = tuple(_strings(words))
        elif "(" not in words:
            kind = _KINDS.get(name.removeprefix("system.").removesuffix("[]"), "string") if not name.endswith("[]") else "array"
    value = _default(default)
    return Parameter(_text(variable).lstrip("$").strip("{}"), kind, mandatory and default is None, position, value, text, choices)


def _default(node: "Node | None") -> Any:
    if node is None:
        return None
    text = _text(node).lstrip("=").strip()
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"" and (text[0] == "'" or "$" not in text):
        return text[1:-1]
    if text.lower() in {"$true", "$false"}:
        return text.lower() == "$true"
    if text.lower() == "$null":
        return None
    return int(text) if text.lstrip("-").isdigit() else {"expression": text}


def _is_mandatory(words: str) -> bool:
    squeezed = words.lower().replace(" ", "")
    return "mandatory" in squeezed and "mandatory=$false" not in squeezed


def _quoted_after(words: str, key: str) -> str:
    place = words.lower().find(key)
    return next(iter(_strings(words[place:])), "") if place >= 0 else ""


def _strings(words: str) -> list[str]:
    parts: list[str] = []
    rest = words
    while (starts := [i for i in (rest.find("'"), rest.find('"')) if i >= 0]) and (
        end := rest.find(rest[min(starts)], min(starts) + 1)
    ) > 0:
        parts.append(rest[min(starts) + 1 : end])
        rest = rest[end + 1 :]
    return parts


def _text(node: "Node") -> str:
    return node.text.decode() if node.text else ""
