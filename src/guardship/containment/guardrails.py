"""What stands between a wish to isolate and the isolation: ourselves, a group that is not closed, protected machines, caps.

Ourselves and the ways by which agents reach us are never cut. A protected machine, and any machine above the caps, waits for a person;
the caps count distinct machines isolated now or in the past hour, so that a flood of alerts cannot take the company off the network.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from guardship.containment.exposure import shut_door
from guardship.containment.isolations import OPEN_STATES, Isolation, State
from guardship.containment.surroundings import Effect
from guardship.errors import Fault, GuardshipError, counted

CAP_WINDOW = timedelta(hours=1)
PROTECTED_TAG = "guardship:protected"
_YES = {"true", "yes", "1", "on"}


class NeverCut(GuardshipError):
    code = "containment.never_cut"
    fault = Fault.FORBIDDEN

    def __init__(self, machine: str, why: str) -> None:
        super().__init__(f"{machine} is never cut off: {why}", hint="change it by hand in the cloud if you must")


class GroupNotClosed(GuardshipError):
    code = "containment.group_not_closed"
    fault = Fault.CONFLICT


@dataclass(frozen=True, slots=True)
class Policy:
    """The limits of containment; spans and shares as in the settings of the same names."""

    cap_count: int = 5
    cap_percent: float = 10.0
    lease: timedelta = timedelta(hours=4)
    releases_by_itself: bool = False
    own_addresses: frozenset[str] = field(default_factory=frozenset)
    own_ports: frozenset[int] = field(default_factory=frozenset)  # console, clients, agents


@dataclass(frozen=True, slots=True)
class Concern:
    """Why a person has to say yes first."""

    code: str
    text: str


def cap_of(policy: Policy, machine_count: int) -> int:
    """Both limits hold: the count, and the share rounded up; never under one."""
    share = math.ceil(machine_count * policy.cap_percent / 100)
    return max(1, min(policy.cap_count, share))


def is_protected(tags: Mapping[str, str]) -> bool:
    return any(name.lower() == PROTECTED_TAG and str(value).lower() in _YES for name, value in tags.items())


def refuse_ourselves(effect: Effect, policy: Policy, *, isolates: bool) -> None:
    """Neither the machine this server runs on, nor a port by which people, clients and agents reach it."""
    if not policy.own_addresses.intersection(effect.before.addresses):
        return
    name = (effect.before.machine_id or effect.before.interface_id).rpartition("/")[2]
    if isolates:
        raise NeverCut(name, "this server runs on it")
    if (port := shut_door(effect.before, effect.after, policy.own_ports)) is not None:
        raise NeverCut(name, f"this server runs on it, and its port {port} would no longer be reached")


def refuse_open_group(group_id: str, machine: str, way: str | None) -> None:
    """A group that leaves a way open (see `exposure.told_way`) isolates nobody."""
    if way is not None:
        raise GroupNotClosed(f"{group_id.rpartition('/')[2]} would leave {machine} a way: {way}", hint="make the group deny it")


def concern_about(
    session: Session, machine_ids: set[str], tags: Mapping[str, Mapping[str, str]], *, machine_count: int, policy: Policy, at: datetime
) -> Concern | None:
    """Of all machines that one write would cut and that are not isolated yet; `tags` by their names."""
    protected = sorted(name for name, theirs in tags.items() if is_protected(theirs))
    if protected:
        kind = "is a protected machine" if len(protected) == 1 else "are protected machines"
        return Concern("protected", f"{', '.join(protected[:10])} {kind}")
    isolated = isolated_lately(session, at=at)
    cap = cap_of(policy, machine_count)
    more = len(machine_ids - isolated)
    if more and len(isolated) + more > cap:
        return Concern(
            "cap",
            f"isolated now or in the past hour: {len(isolated)} of {counted(machine_count, 'machine')}, this would add {more}; the cap is {cap}",
        )
    return None


def isolated_lately(session: Session, *, at: datetime) -> set[str]:
    """Distinct machines isolated now or within the past hour, failed attempts left out."""
    query = select(Isolation.machine_id).where(
        Isolation.state != State.FAILED, or_(Isolation.state.in_(OPEN_STATES), Isolation.opened_at > at - CAP_WINDOW)
    )
    return set(session.scalars(query))
