"""Payloads on their way to the journal and back: small ones lie inline, large ones once by their hash, secret ones sealed.

On disk `inputs` is `inputs_ref`: `{"inline": …}`, `{"blob": sha256, "size": 9000, "preview": "…"}`, or for what must not be shown
`{"inline": "***", "sealed": "…"}`, whose value only the engine sees again.
"""

import base64
import hashlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import orjson

from guardship.playbooks.definition import Action, Workflow
from guardship.playbooks.events import PAYLOADS, Event, EventKind
from guardship.playbooks.expressions.values import Value, plain
from guardship.playbooks.state import name_of
from guardship.storage.vault import Vault

INLINE_BYTES = 8192
PREVIEW_CHARACTERS = 512
MASK = "***"

# Fields of an `authentication` that are never shown.
_NOTHING: frozenset[str] = frozenset()
_NO_REFERENCES: dict[str, str] = {}
_REFERENCE_OF = {name: f"{name}_ref" for name in PAYLOADS}
_SECRET_FIELDS = ("password", "secret", "pfx", "value", "parameter", "clientsecret")


class Encoded(NamedTuple):
    """A row's body, its references as text, the blobs it names, and whether something in it is sealed."""

    body: str
    references: dict[str, str]
    blobs: Sequence[bytes] = ()
    is_sealed: bool = False


class Payloads:
    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def encode(self, run_id: str, event: Event, workflow: Workflow | None) -> Encoded:
        encoded = event.encoded
        if not encoded:
            return Encoded(orjson.dumps(event.body, default=plain).decode(), _NO_REFERENCES)
        body: dict[str, Any] = {}
        blobs: list[bytes] = []
        references: dict[str, str] = {}
        is_sealed = False
        hidden = _hidden(event, workflow) if workflow is not None and workflow.is_secretive else _NOTHING
        for name, value in event.body.items():
            data = encoded.get(name)
            if data is None:
                body[name] = value
                continue
            if len(data) <= INLINE_BYTES and name not in hidden and (name != "inputs" or b'"authentication"' not in data):
                made = b'{"inline":' + data + b"}"
            else:
                made = self._reference(run_id, event, name, data, name in hidden, blobs)
                is_sealed = is_sealed or b'"sealed":' in made
            references[name] = made.decode()
            body[_REFERENCE_OF[name]] = orjson.Fragment(made)  # JSON already
        return Encoded(orjson.dumps(body, default=plain).decode(), references, blobs, is_sealed)

    def _reference(self, run_id: str, event: Event, name: str, data: bytes, is_hidden: bool, blobs: list[bytes]) -> bytes:
        if is_hidden:
            return orjson.dumps({"inline": MASK, "sealed": self._sealed(run_id, data)})
        if name == "inputs" and b'"authentication"' in data:
            shown = _masked(event.body[name])
            if shown is not None:
                return orjson.dumps({"inline": shown, "sealed": self._sealed(run_id, data)})
        if len(data) <= INLINE_BYTES:
            return b'{"inline":' + data + b"}"
        blobs.append(data)
        preview = data[: PREVIEW_CHARACTERS * 4].decode(errors="ignore")[:PREVIEW_CHARACTERS]
        return orjson.dumps({"blob": hashlib.sha256(data).hexdigest(), "size": len(data), "preview": preview})

    def _sealed(self, run_id: str, data: bytes) -> str:
        return base64.b64encode(self._vault.seal(data, purpose=f"run:{run_id}")).decode()

    def decode(self, run_id: str, body: dict[str, Any], fetch: Callable[[str], bytes]) -> dict[str, Any]:
        """A body from disk with its payloads in place."""
        made: dict[str, Any] = {}
        for name, value in body.items():
            if name.endswith("_ref"):
                made[name.removesuffix("_ref")] = self.value(run_id, value, fetch)
            else:
                made[name] = value
        return made

    def value(self, run_id: str, reference: dict[str, Any], fetch: Callable[[str], bytes]) -> Value:
        if "sealed" in reference:
            opened = self._vault.unseal(base64.b64decode(reference["sealed"]), purpose=f"run:{run_id}")
            return orjson.loads(opened)  # type: ignore[no-any-return]  # JSON
        return shown_value(reference, fetch)


def shown_value(reference: dict[str, Any] | None, fetch: Callable[[str], bytes]) -> Value:
    """What people may see of a payload."""
    if reference is None:
        return None
    if "blob" in reference:
        return orjson.loads(fetch(reference["blob"]))  # type: ignore[no-any-return]  # JSON
    inline: Value = reference.get("inline")
    return inline


def _hidden(event: Event, workflow: Workflow) -> frozenset[str] | set[str]:
    if event.kind is EventKind.RUN_ACCEPTED:
        trigger = next((one for one in workflow.triggers if one.name == event.body["trigger_name"]), None)
        return {"trigger"} if trigger is not None and trigger.hides_outputs else set()
    action: Action | None = workflow.action(name_of(event.key)) if event.key else None
    if action is None:
        return set()
    hidden = {"outputs"} if action.hides_outputs else set()
    return hidden | {"inputs", "value", "items"} if action.hides_inputs else hidden


def _masked(inputs: Value) -> Value:
    """The inputs of a call with the secrets of its `authentication` masked, or None when there is none."""
    authentication = inputs.get("authentication") if isinstance(inputs, dict) else None
    if not isinstance(inputs, dict) or not isinstance(authentication, dict):
        return None
    if not any(name.lower() in _SECRET_FIELDS for name in authentication):
        return None
    return {**inputs, "authentication": {name: MASK if name.lower() in _SECRET_FIELDS else value for name, value in authentication.items()}}
