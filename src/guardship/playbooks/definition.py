"""A playbook as the engine sees it: actions in blocks, each with what it does, made once from a definition and never changed.

A block is a set of actions that stand side by side: the whole playbook, a scope, a branch, a case, the body of a loop.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias

from guardship.playbooks.connector import Operation
from guardship.playbooks.expressions.evaluate import Evaluate, Scope
from guardship.playbooks.expressions.values import Value

Path: TypeAlias = tuple[str | int, ...]


class Status(StrEnum):
    WAITING = "Waiting"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    SKIPPED = "Skipped"
    TIMED_OUT = "TimedOut"
    CANCELLED = "Cancelled"


ENDED = frozenset({Status.SUCCEEDED, Status.FAILED, Status.SKIPPED, Status.TIMED_OUT, Status.CANCELLED})


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a definition that keeps it from being published; `start` and `end` are offsets in the string at `path`."""

    path: Path
    message: str
    code: str
    hint: str | None = None
    start: int = 0
    end: int = 0


class Outcome(NamedTuple):
    """What an action that needs nothing from outside has done."""

    inputs: Value
    outputs: Value
    status: Status = Status.SUCCEEDED
    code: str = "OK"
    error: dict[str, Any] | None = None
    variables: tuple[tuple[str, Value], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Immediate:
    perform: Callable[[Scope], Outcome]


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    kind: str = "exponential"  # none, fixed, exponential
    count: int = 4
    interval_seconds: float = 7.0
    least_seconds: float = 5.0
    most_seconds: float = 3600.0


@dataclass(frozen=True, slots=True, eq=False)
class Outside:
    """A call of a connector's operation."""

    connector: str
    operation: Operation
    inputs: Evaluate
    connection_key: str | None
    encodings: tuple[int, ...]  # how often each value in the path is percent-encoded
    retry: RetryPolicy
    static_result: Evaluate | None = None
    follows_accepted: bool = True  # 202 with a Location is asked again until it is something else
    options: Mapping[str, Any] = field(default_factory=dict)  # what the action says beside its inputs: transfer, paging


@dataclass(frozen=True, slots=True, eq=False)
class Webhook:
    """A call that gives somebody an address of ours, and then a wait until they call it."""

    subscribe: Outside
    unsubscribe: Outside | None = None  # when nobody is waited for any more


@dataclass(frozen=True, slots=True)
class Verdict:
    """A condition's result and why: each part with its value, None for what was not looked at."""

    holds: bool
    explanation: dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class If:
    decide: Callable[[Scope], Verdict]


@dataclass(frozen=True, slots=True, eq=False)
class Switch:
    expression: Evaluate
    cases: tuple[tuple[str, Evaluate], ...]  # block label, value


@dataclass(frozen=True, slots=True, eq=False)
class Foreach:
    items: Evaluate
    at_once: int


@dataclass(frozen=True, slots=True, eq=False)
class Until:
    decide: Callable[[Scope], Verdict]
    count: Evaluate
    timeout: Evaluate
    fails_at_limit: bool


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """A Scope action."""


@dataclass(frozen=True, slots=True, eq=False)
class Pause:
    """A Wait action: gives its evaluated inputs and the seconds, or the moment in microseconds, it lasts to."""

    inputs: Evaluate
    due_at: Callable[[Value, int], int]


@dataclass(frozen=True, slots=True, eq=False)
class Terminate:
    inputs: Evaluate


@dataclass(frozen=True, slots=True, eq=False)
class Respond:
    inputs: Evaluate


Deed: TypeAlias = Immediate | Outside | Webhook | If | Switch | Foreach | Until | Group | Pause | Terminate | Respond


@dataclass(frozen=True, slots=True, eq=False)
class Predecessor:
    name: str
    key: str
    statuses: frozenset[str]


@dataclass(frozen=True, slots=True, eq=False)
class Action:
    name: str
    key: str  # the name with % / [ ] percent-encoded
    kind: str  # the type as published
    deed: Deed
    run_after: tuple[Predecessor, ...]
    blocks: tuple["Block", ...]
    loops: tuple[str, ...]  # names of the loops around it, outermost first
    owner: str | None  # the container it stands in
    timeout_seconds: float | None = None
    hides_inputs: bool = False
    hides_outputs: bool = False
    tracked: Evaluate | None = None

    @property
    def owner_key(self) -> str:
        """The key of its container, inside the same iteration."""
        return "" if self.owner is None else key_of(self.owner)


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    block_id: str
    owner: str | None  # the container it belongs to; None for the whole playbook
    label: str  # "", actions, else, default, or the name of a case
    actions: tuple[Action, ...]
    successors: Mapping[str, tuple[Action, ...]]
    leaves: tuple[Action, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Trigger:
    """`payload` names what starts it from here: an alert or incident for a connector's subscription, a call of its address, nothing."""

    name: str
    kind: str  # the type as published
    payload: str  # security_center_alert, sentinel_alert, …; request; "" for what starts by itself
    connector: str | None = None
    method: str | None = None
    schema: Mapping[str, Any] | None = None
    checks_schema: bool = False
    relative_path: str | None = None
    conditions: tuple[Callable[[Scope], Verdict], ...] = ()
    split_on: Evaluate | None = None
    runs_at_once: int | None = None
    most_waiting: int | None = None
    hides_outputs: bool = False
    tracking_id: Evaluate | None = None
    recurrence: Evaluate | None = None  # of Recurrence, and of what is asked again and again
    call: Outside | None = None  # what is asked, or told our address
    unsubscribe: Outside | None = None
    fetch: Outside | None = None  # what is asked once somebody called our address
    batches: Mapping[str, "BatchCriteria"] = field(default_factory=dict)

    @property
    def starts_by_itself(self) -> bool:
        """Whether it waits for a person to switch it on: publishing arms nothing."""
        return self.recurrence is not None or self.call is not None or bool(self.batches)


@dataclass(frozen=True, slots=True)
class BatchCriteria:
    """When a batch is let go: whichever is reached first."""

    message_count: int | None = None
    size_bytes: int | None = None
    recurrence: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Workflow:
    name: str
    root: Block
    actions: Mapping[str, Action]  # by folded name
    blocks: Mapping[str, Block]  # the block each action stands in, by the action's name
    triggers: tuple[Trigger, ...]
    parameters: Mapping[str, Value]  # by folded name
    variables: Mapping[str, str]  # spelled name -> type, as InitializeVariable declares them
    has_response: bool = False
    is_secretive: bool = False  # something in it is hidden by secureData
    secure_parameters: frozenset[str] = frozenset()  # by folded name: of a type whose values are not for the eye
    outputs: Evaluate | None = None
    connections: Mapping[str, "ConnectionUse"] = field(default_factory=dict)
    address: str = ""  # of the server, before the path of a callback
    places: dict[str, tuple[str, str, int | None, str]] = field(default_factory=dict, repr=False)  # found once: see projection.py

    def action(self, name: str) -> Action | None:
        return self.actions.get(name.casefold())


@dataclass(frozen=True, slots=True)
class ConnectionUse:
    """One entry of `$connections`: the local key, the connector it means, and the entry as it was written."""

    key: str
    connector: str
    entry: Mapping[str, Any]


def call_of(deed: Deed) -> Outside | None:
    """The call an action makes, if it makes one."""
    return deed.subscribe if isinstance(deed, Webhook) else deed if isinstance(deed, Outside) else None


def key_of(name: str) -> str:
    """The name as it stands in a key: `%`, `/`, `[` and `]` are percent-encoded."""
    if name.isidentifier():  # what nearly all are
        return name
    return name.replace("%", "%25").replace("/", "%2F").replace("[", "%5B").replace("]", "%5D")
