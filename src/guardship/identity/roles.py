"""What a person or token may do: three roles, each holding all that the one before it holds."""

from enum import StrEnum

from guardship.errors import Fault, GuardshipError


class Role(StrEnum):
    READER = "reader"
    RESPONDER = "responder"
    ADMIN = "admin"


_RANK = {Role.READER: 0, Role.RESPONDER: 1, Role.ADMIN: 2}


class NotAllowed(GuardshipError):
    code = "identity.not_allowed"
    fault = Fault.FORBIDDEN


def includes(held: Role, needed: Role) -> bool:
    return _RANK[held] >= _RANK[needed]


def demand(held: Role, needed: Role, *, who: str) -> None:
    if not includes(held, needed):
        raise NotAllowed(f"{who} has the role {held}; this needs {needed}", hint="an admin can change the role under Admin, Access")
