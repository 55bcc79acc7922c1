"""Values of a playbook's secure parameters lie sealed in the database, as `{"$sealed": "…"}`, and are opened for a run alone."""

import base64
from collections.abc import Collection, Mapping
from typing import Any

import orjson

from guardship.errors import Fault, GuardshipError
from guardship.playbooks.expressions.values import plain
from guardship.storage.vault import Vault

_SEALED = "$sealed"


class NoVault(GuardshipError):
    code = "playbooks.no_vault"
    fault = Fault.UNAVAILABLE


def sealed(parameters: Mapping[str, Any], secure: Collection[str], playbook_id: str, vault: Vault | None) -> dict[str, Any]:
    """The parameters as they may be kept; raises NoVault when there is something to seal and nothing to seal it with."""
    made = dict(parameters)
    for name in secure:
        if vault is None:
            raise NoVault(f"the secure parameter {name} cannot be kept: this library has no vault")
        content = vault.seal(orjson.dumps(made[name], default=plain), purpose=_purpose(playbook_id, name))
        made[name] = {_SEALED: base64.b64encode(content).decode()}
    return made


def opened(parameters: Mapping[str, Any], playbook_id: str, vault: Vault | None) -> dict[str, Any]:
    """The same in the clear, for a run."""
    made = dict(parameters)
    for name, value in parameters.items():
        if isinstance(value, dict) and value.keys() == {_SEALED} and vault is not None:
            made[name] = orjson.loads(vault.unseal(base64.b64decode(value[_SEALED]), purpose=_purpose(playbook_id, name)))
    return made


def _purpose(playbook_id: str, name: str) -> str:
    return f"playbook-parameter:{playbook_id}:{name}"
