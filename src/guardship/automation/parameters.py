"""The parameters of a script, read from the script itself, so that a playbook's action can offer them by name.

A Python runbook declares them as the arguments of a function `main` at its top level:

    def main(VMName: str, ResourceGroupName: str = "AzureBootcamp") -> None:
        \"\"\"Move a machine to the closed security group.\"\"\"

A PowerShell runbook has its `Param(…)` block; `automation/powershell.py` reads it. A default that is not a literal is kept as
`{"expression": "<text>"}`.
"""

import ast
from dataclasses import asdict, dataclass
from typing import Any

from guardship.errors import Fault, GuardshipError, Span, TextError


class ScriptError(TextError):
    code = "automation.script_error"


class BadParameters(GuardshipError):
    code = "automation.bad_parameters"
    fault = Fault.BAD_INPUT


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter; `kind` is the field's type name: string, int, float, bool, object, array."""

    name: str
    kind: str
    is_mandatory: bool
    position: int
    default: Any = None
    help: str = ""
    choices: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"choices": list(self.choices)}

    @staticmethod
    def from_json(data: dict[str, Any]) -> "Parameter":
        return Parameter(**(data | {"choices": tuple(data.get("choices", ()))}))


_KINDS = {"str": "string", "int": "int", "float": "float", "bool": "bool", "dict": "object", "list": "array"}


def python_parameters(script: str) -> tuple[Parameter, ...]:
    """The arguments of `main`; raises ScriptError with the place when the script does not parse."""
    main = _main_of(parse_python(script))
    if main is None:
        return ()
    arguments = [*main.args.posonlyargs, *main.args.args]
    defaults: list[ast.expr | None] = [None] * (len(arguments) - len(main.args.defaults)) + list(main.args.defaults)
    pairs = [*zip(arguments, defaults, strict=True), *zip(main.args.kwonlyargs, main.args.kw_defaults, strict=True)]
    return tuple(
        Parameter(argument.arg, _kind_of(argument.annotation), default is None, position, _literal(default))
        for position, (argument, default) in enumerate(pairs)
    )


def calls_main(script: str) -> bool:
    """Whether the launcher has to call `main`: it is there, and the script does not call it by itself."""
    tree = parse_python(script)
    if _main_of(tree) is None:
        return False
    return not any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "main"
        for statement in tree.body
        if not isinstance(statement, ast.FunctionDef | ast.ClassDef)
        for node in ast.walk(statement)
    )


def parse_python(script: str) -> ast.Module:
    try:
        return ast.parse(script)
    except SyntaxError as error:
        line, column = error.lineno or 1, error.offset or 1
        offset = sum(len(each) for each in script.splitlines(keepends=True)[: line - 1]) + column - 1
        raise ScriptError(f"the script is not Python: {error.msg}", span=Span(offset, offset + 1, line, column)) from error
    except ValueError as error:
        raise ScriptError(f"the script is not Python: {error}") from error


def check(given: dict[str, Any], declared: tuple[Parameter, ...]) -> dict[str, Any]:
    """`given` by the declared spelling; names ignore case, as PowerShell's do. A script that declares none takes anything."""
    if not declared:
        return given
    by_name = {parameter.name.lower(): parameter for parameter in declared}
    unknown = [name for name in given if name.lower() not in by_name]
    if unknown:
        raise BadParameters(f"the runbook has no parameter {unknown[0]}", hint=f"it has {', '.join(p.name for p in declared)}")
    taken = {by_name[name.lower()].name: value for name, value in given.items()}
    missing = [parameter.name for parameter in declared if parameter.is_mandatory and taken.get(parameter.name) in (None, "")]
    if missing:
        raise BadParameters(f"the runbook needs the parameter {missing[0]}", hint="the playbook's action or the caller has to give it")
    return {name: _converted(by_name[name.lower()], value) for name, value in taken.items()}


def _converted(parameter: Parameter, value: Any) -> Any:
    """Azure hands parameters on as text; a Python `main` gets what it declared."""
    if not isinstance(value, str) or parameter.kind not in {"int", "float", "bool"}:
        return value
    try:
        match parameter.kind:
            case "int":
                return int(value)
            case "float":
                return float(value)
            case _:
                return {"true": True, "false": False}[value.lower()]
    except (ValueError, KeyError) as error:
        raise BadParameters(f"parameter {parameter.name} takes {parameter.kind}, not {value!r}") from error


def _main_of(tree: ast.Module) -> ast.FunctionDef | None:
    return next((node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "main"), None)


def _kind_of(annotation: ast.expr | None) -> str:
    if isinstance(annotation, ast.Subscript):
        annotation = annotation.value
    return _KINDS.get(annotation.id, "string") if isinstance(annotation, ast.Name) else "string"


def _literal(default: ast.expr | None) -> Any:
    if default is None:
        return None
    try:
        return ast.literal_eval(default)
    except ValueError:
        return {"expression": ast.unparse(default)}
