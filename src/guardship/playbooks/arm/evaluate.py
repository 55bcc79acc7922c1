"""Works out the `[…]` of a template. What cannot be worked out is reported with its place and stays as it is written; what a value
nobody gave is put into goes on with `<missing: …>` in its place, so that one thing that is missing is one problem.

`[[text]` is the literal `[text]`. Every other string is kept verbatim, which is how the expressions of a playbook pass through.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from guardship.playbooks.arm.copies import Loop, loops_of
from guardship.playbooks.arm.functions.collections import concat
from guardship.playbooks.arm.functions.table import FUNCTIONS, OWN, arity_problem, deferred, nearest_function
from guardship.playbooks.arm.names import Given, Names, OwnFunction, constants, told_as
from guardship.playbooks.arm.parameters import wrong_value
from guardship.playbooks.arm.place import Deployment
from guardship.playbooks.arm.report import Report
from guardship.playbooks.arm.symbols import ArmFailed, Secret, Unknown, revealed, secrets_in, shown_value, spread
from guardship.playbooks.definition import Path
from guardship.playbooks.expressions.entry import Entry
from guardship.playbooks.expressions.evaluate import look_up
from guardship.playbooks.expressions.parser import parse_expression
from guardship.playbooks.expressions.syntax import Access, Call, ExpressionSyntax, Literal, Node, calls_in
from guardship.playbooks.expressions.values import EvaluationFailed, Value, type_name


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands round an expression: the loops it is in, and the names of the lambdas it is in."""

    loops: Mapping[str, int] = field(default_factory=dict)  # by folded name, outermost first
    names: Mapping[str, Value] = field(default_factory=dict)

    def inside(self, loop: str, index: int) -> "Frame":
        return replace(self, loops={**{name: at for name, at in self.loops.items() if name != loop.casefold()}, loop.casefold(): index})


BARE = Frame()


@lru_cache(maxsize=16384)
def _parsed(text: str) -> Node:
    return parse_expression(text, is_arm=True)


class Evaluator:
    def __init__(self, document: Mapping[str, Any], path: Path, deployment: Deployment, given: Given, report: Report) -> None:
        self.deployment = deployment
        self.report = report
        self.names = Names(document, path, given, report, self.value)
        self._steps: list[str | int] = []

    def value(self, given: Any, path: Path, frame: Frame = BARE) -> Any:
        """The value with everything in it worked out; `path` is where it stands in the document."""
        before, self._steps = self._steps, list(path)
        try:
            return self._value(given, frame)
        finally:
            self._steps = before

    def _value(self, given: Any, frame: Frame) -> Any:
        if isinstance(given, str):
            return self._string(given, frame) if given.startswith("[") else given
        if isinstance(given, dict):
            return self._object(given, frame)
        if isinstance(given, list):
            return [self._inner(index, inner, frame) for index, inner in enumerate(given)]
        return self._looped(given, frame) if isinstance(given, Loop) else given

    def _inner(self, step: str | int, given: Any, frame: Frame) -> Any:
        if not isinstance(given, str | dict | list) or (isinstance(given, str) and not given.startswith("[")):
            return given
        self._steps.append(step)
        made = self._value(given, frame)
        self._steps.pop()
        return made

    def _object(self, given: dict[str, Any], frame: Frame) -> Any:
        made: dict[str, Any] = {}
        loops: list[Loop] = []
        for name, inner in given.items():
            if len(name) == 4 and name.lower() == "copy" and (loops := loops_of(given)):
                for loop in loops:
                    made[loop.name] = self._looped(loop, frame)
                continue
            key = str(self._string(name, frame)) if name.startswith("[") else name
            made[key] = self._inner(name, inner, frame)
        return made

    def _looped(self, loop: Loop, frame: Frame) -> list[Any]:
        self._steps += ["copy", *loop.steps]
        turns = [frame.inside(loop.name, index) for index in range(self.count(loop, frame) or 0)]
        made = [self._inner("input", loop.body, turn) for turn in turns]
        del self._steps[-1 - len(loop.steps) :]
        return made

    def loop_count(self, loop: Loop, path: Path, frame: Frame) -> int | None:
        """As `count`, for the loop whose `copy` stands at `path`."""
        before, self._steps = self._steps, list(path)
        try:
            return self.count(loop, frame)
        finally:
            self._steps = before

    def count(self, loop: Loop, frame: Frame) -> int | None:
        """How often a loop goes round; None when that cannot be told, which is reported."""
        count = self._inner("count", loop.count, frame)
        path = (*self._steps, "count")
        wrong = loop.wrong_count(count)
        if wrong is not None:
            if not isinstance(count, Unknown) or count.is_deferred:
                self.report.problem(path, wrong, "InvalidCopy")
            return None
        return int(count)

    def is_settled(self, given: Any) -> bool:
        """Whether a value can be worked out without asking for anything: no variables, and no parameters that lack a value."""
        if isinstance(given, dict | list):
            return all(map(self.is_settled, given.values() if isinstance(given, dict) else given))
        if not isinstance(given, str) or not given.startswith("[") or not given.endswith("]"):
            return True
        try:
            calls = calls_in(_parsed(given[1:-1]))
        except ExpressionSyntax:
            return False
        asked = [call.arguments[0] if call.arguments else None for call in calls if call.name.lower() == "parameters"]
        named = [argument.value for argument in asked if isinstance(argument, Literal) and isinstance(argument.value, str)]
        is_pure = all(
            call.name.lower() in ("parameters", "concat", "tolower", "resourceid", "resourcegroup", "subscription") for call in calls
        )
        return is_pure and len(named) == len(asked) and all(map(self.names.has_value, named))

    # ---- expressions

    def _string(self, text: str, frame: Frame) -> Any:
        bare = text.rstrip()
        if not bare.endswith("]"):
            return text
        if text.startswith("[["):
            return text[1:]
        try:
            node = _parsed(bare[1:-1])
            self._check_calls(node)
            made = self._node(node, frame)
        except ExpressionSyntax as error:
            start = (error.span.start if error.span else 0) + 1
            self.report.problem(tuple(self._steps), error.message, "InvalidExpression", hint=error.hint, start=start, end=start + 1)
            made = Unknown.of(text, is_deferred=False, text=text)
        except ArmFailed as error:
            self._tell(error)
            made = Unknown.of(text, is_deferred=False, text=text)
        self._mark(made)
        return made

    def _tell(self, error: ArmFailed) -> None:
        problem = told_as(error, tuple(self._steps))
        if error.code in ("UnknownParameter", "UnknownVariable"):  # once, however often it is used
            self.report.once((str(id(self.names)), error.code, error.message.casefold()), problem)
        else:
            self.report.problem(problem.path, problem.message, problem.code, hint=problem.hint, start=problem.start, end=problem.end)

    def _mark(self, made: Any) -> None:
        if isinstance(made, Unknown):
            if made.is_deferred:
                self.report.deferred(tuple(self._steps), made.shown)
            else:
                self.report.unusable.add(tuple(self._steps))
        elif isinstance(made, list | dict):
            for inner in made if isinstance(made, list) else made.values():
                self._mark(inner)

    def _check_calls(self, node: Node) -> None:
        """Every call, also those that will not be reached: is there such a function, and does it take so many arguments?"""
        for call in calls_in(node):
            name = call.name.lower()
            own = self.names.functions.get(call.name.casefold())
            entry = FUNCTIONS.get(name)
            known = (entry.name, entry.least, entry.most) if entry else OWN.get(name) or deferred(name)
            if own is not None:
                known = (own.name, len(own.parameters), len(own.parameters))
            if known is None:
                nearest = nearest_function(call.name)
                hint = f"did you mean {nearest}?" if nearest else None
                raise ArmFailed(f"The template function '{call.name}' is not known.", "UnknownFunction", hint=hint).at(call)
            wrong = arity_problem(*known, len(call.arguments))
            if wrong is not None:
                raise ArmFailed(wrong, "WrongArity").at(call)

    def _node(self, node: Node, frame: Frame) -> Any:
        match node:
            case Literal():
                return node.value
            case Access():
                return self._access(node, frame)
            case Call():
                try:
                    return self._call(node, frame)
                except ArmFailed as error:
                    raise error.at(node) from error.__cause__
                except EvaluationFailed as error:
                    raise ArmFailed(error.message, hint=error.hint).at(node) from error

    def _access(self, node: Access, frame: Frame) -> Any:
        target, key = self._node(node.target, frame), self._node(node.key, frame)
        if isinstance(target, Unknown) or isinstance(key, Unknown):
            step = f".{key}" if isinstance(node.key, Literal) and isinstance(key, str) and key.isidentifier() else f"[{shown_value(key)}]"
            is_deferred = all(one.is_deferred for one in (target, key) if isinstance(one, Unknown))
            return Unknown.of(f"{shown_value(target)}{step}", is_deferred=is_deferred)
        try:
            if isinstance(target, Secret) or isinstance(key, Secret):
                return _secret_or_plain(look_up(revealed(target), revealed(key), node.is_optional), target, key)
            return look_up(target, key, node.is_optional)
        except EvaluationFailed as error:
            hidden = isinstance(target, Secret) or isinstance(key, Secret)
            message = f"The secure value {shown_value(target)} has no such property." if hidden else error.message
            raise ArmFailed(message).at(node) from None

    def _call(self, node: Call, frame: Frame) -> Any:
        name = node.name.lower()
        if name in OWN:
            return self._own(name, node, frame)
        arguments = [self._node(argument, frame) for argument in node.arguments]
        unknown = [argument for argument in arguments if isinstance(argument, Unknown)]
        own, entry = self.names.functions.get(node.name.casefold()), FUNCTIONS.get(name)
        if unknown or (own is None and entry is None):
            text = str(concat(*arguments)) if name == "concat" and not any(isinstance(each, list) for each in arguments) else None
            shown = f"{node.name}({', '.join(map(shown_value, arguments))})"
            return Unknown.of(shown, is_deferred=all(each.is_deferred for each in unknown), text=text)
        if own is not None:
            return self._own_function(own, arguments)
        assert entry is not None
        if self.report.has_secrets and (secrets := [each for argument in arguments for each in secrets_in(argument)]):
            return self._on_secrets(entry, arguments, secrets)
        return self._performed(entry, arguments)

    def _performed(self, entry: Entry, arguments: list[Any]) -> Any:
        try:
            return entry.perform(self.deployment, *arguments) if entry.needs_scope else entry.perform(*arguments)
        except (TypeError, ValueError, LookupError, ArithmeticError, AttributeError) as error:
            kinds = ", ".join(type_name(each) for each in arguments) or "nothing"
            raise ArmFailed(f"The template function '{entry.name}' cannot work with {kinds}.") from error

    def _on_secrets(self, entry: Entry, arguments: list[Any], secrets: list[Secret]) -> Any:
        """With the values in the clear; what is told of a failure does not hold them. A lambda gets each as the secret it is."""
        if any(isinstance(argument, _Lambda) for argument in arguments):
            return self._performed(entry, [spread(argument) for argument in arguments])
        try:
            made = self._performed(entry, [revealed(argument) for argument in arguments])
        except EvaluationFailed:
            label = secrets[0].label
            message = f"The template function '{entry.name}' cannot work with the secure value of the parameter '{label}'."
            raise ArmFailed(message) from None
        return _secret_or_plain(made, *secrets, is_derived=True)

    def _own_function(self, function: OwnFunction, arguments: list[Any]) -> Any:
        """It sees its own parameters alone."""
        for (name, entry), value in zip(function.parameters.items(), arguments, strict=True):
            wrong = wrong_value(revealed(value), entry, is_hidden=any(secrets_in(value)))
            if wrong is not None:
                raise ArmFailed(
                    f"The value of '{name}' of the template's function '{function.name}' does not fit: {wrong}.", "InvalidParameter"
                )
        given = constants(dict(zip(function.parameters, arguments, strict=True)))
        inner = Evaluator({"parameters": function.parameters}, (*function.path, "parameters"), self.deployment, given, self.report)
        return inner.value(function.output.get("value"), (*function.path, "output", "value"))

    def _own(self, name: str, node: Call, frame: Frame) -> Any:
        first = node.arguments[0] if node.arguments else None
        match name:
            case "if":
                holds = self._truth("if", node.arguments[0], frame)
                return holds if isinstance(holds, Unknown) else self._node(node.arguments[1 if holds else 2], frame)
            case "and" | "or":
                return self._joined(name, node, frame)
            case "coalesce":
                return self._first_known(node, frame)
            case "lambda":
                names = tuple(
                    argument.value for argument in node.arguments[:-1] if isinstance(argument, Literal) and isinstance(argument.value, str)
                )
                return _Lambda(self, names, node.arguments[-1], frame)
            case "copyindex":
                return self._copy_index(node, frame)
        called = self._node(first, frame) if first is not None else ""
        if isinstance(called, Unknown):
            return Unknown.of(f"{node.name}({called.shown})", is_deferred=called.is_deferred)
        if not isinstance(called, str):
            raise ArmFailed(f"The template function '{node.name}' expects a name, not a value of type '{type_name(called)}'.")
        if name == "lambdavariables":
            if called.casefold() not in frame.names:
                raise ArmFailed(f"There is no lambda variable called '{called}' here.", "UnknownVariable")
            return frame.names[called.casefold()]
        return self._named(name, called, node)

    def _named(self, name: str, called: str, node: Call) -> Any:
        try:
            return self.names.parameter(called) if name == "parameters" else self.names.variable(called)
        except ArmFailed as error:
            self._tell(error.at(node))  # once, and what uses it is unknown
            return Unknown.of(f"{name}('{called}')", is_deferred=False)

    def _truth(self, function: str, node: Node, frame: Frame) -> bool | Unknown:
        value = revealed(self._node(node, frame))
        if isinstance(value, bool | Unknown):
            return value
        raise ArmFailed(f"The template function '{function}' expects a boolean, not a value of type '{type_name(value)}'.")

    def _joined(self, name: str, node: Call, frame: Frame) -> Any:
        unknown: Unknown | None = None
        for argument in node.arguments:
            value = self._truth(name, argument, frame)
            if isinstance(value, Unknown):
                unknown = unknown or Unknown.of(f"{name}({value.shown}, …)", is_deferred=value.is_deferred)
            elif value is (name == "or"):
                return value
        return name == "and" if unknown is None else unknown

    def _first_known(self, node: Call, frame: Frame) -> Any:
        for argument in node.arguments:
            value = self._node(argument, frame)
            if value is not None:
                return value
        return None

    def _copy_index(self, node: Call, frame: Frame) -> Any:
        """`copyIndex()`, `copyIndex(1)`, `copyIndex('loop')`, `copyIndex('loop', 1)`."""
        arguments = [self._node(argument, frame) for argument in node.arguments]
        loop = arguments.pop(0) if arguments and isinstance(arguments[0], str) else None
        offset = arguments[0] if arguments else 0
        if not isinstance(offset, int) or isinstance(offset, bool) or len(arguments) > 1:
            raise ArmFailed("The template function 'copyIndex' expects the name of a loop and a whole number to add.")
        if not frame.loops:
            raise ArmFailed("The template function 'copyIndex' stands outside of a copy loop.", "InvalidCopy")
        name = list(frame.loops)[-1] if loop is None else loop.casefold()
        if name not in frame.loops:
            raise ArmFailed(f"There is no copy loop called '{loop}' round this.", "InvalidCopy")
        return frame.loops[name] + offset


class _Lambda:
    def __init__(self, evaluator: Evaluator, names: tuple[str, ...], body: Node, frame: Frame) -> None:
        self._evaluator, self._body, self._frame = evaluator, body, frame
        self._names = tuple(name.casefold() for name in names)
        self.parameter_count = len(names)

    def __call__(self, *values: Value) -> Any:
        names = {**self._frame.names, **dict(zip(self._names, values, strict=False))}
        return self._evaluator._node(self._body, replace(self._frame, names=names))


def _secret_or_plain(made: Any, *sources: Any, is_derived: bool = False) -> Any:
    """A yes, a no or a nothing tells no secret; whatever else comes of one is one."""
    if made is None or isinstance(made, bool):
        return made
    label = next(source.label for source in sources if isinstance(source, Secret))
    return Secret.of(made, label, is_derived=is_derived)
