"""Attempts put together from their steps (A8): whose they are, how far they got, where they stopped and why.

Certain is what one authorization request or one connection holds together. What a client did before it opened the
browser has no such name: a registration is told by its client id, and what is nearer to the door by address and time. It
is shown as likely, and only for the same server. Nothing that belongs to another tenant or person is ever put in.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from doorward.model import SECOND, Instant, TenantId, UserId
from doorward.protocol import faults
from doorward.storage import accounts, attempts
from doorward.storage.attempts import AttemptStep, Step
from doorward.storage.database import Reader

MINUTE: Final = 60 * SECOND
WINDOW: Final = 10 * MINUTE
"""How long before the browser opens the client may have been at the door."""
MOST: Final = 2_000
"""Steps that are looked at."""
_BEFORE: Final = (Step.KNOCKED, Step.METADATA, Step.REGISTERED)
_ASKING: Final = 30 * MINUTE
_PATIENCE: Final = {
    Step.KNOCKED: (WINDOW, Step.METADATA),
    Step.METADATA: (WINDOW, Step.AUTHORIZE),
    Step.REGISTERED: (WINDOW, Step.AUTHORIZE),
    Step.AUTHORIZE: (_ASKING, Step.SIGN_IN),
    Step.SIGN_IN: (_ASKING, Step.SIGN_IN),
    Step.CONSENT: (_ASKING, Step.CONSENT),
    Step.APPROVED: (2 * MINUTE, Step.TOKEN),
    Step.TOKEN: (5 * MINUTE, Step.CALLED),
}
"""After a step: how long the next one may take, and where the attempt stopped if it never comes."""


class State(StrEnum):
    """How an attempt stands."""

    CONNECTED = "connected"
    WAITING = "waiting"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Seen:
    """A step of an attempt; ``likely``: by address and time only."""

    step: AttemptStep
    likely: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """``id`` is that of its first certain step. ``stopped_at`` and ``code`` say where it stopped, and with what fault."""

    id: int
    seen: tuple[Seen, ...]
    state: State
    stopped_at: Step | None = None
    code: str | None = None

    def last(self, name: str) -> str | None:
        """Return what the newest certain step says of ``client_id``, ``user_id`` and the like."""
        values = (getattr(each.step, name) for each in reversed(self.seen) if not each.likely)
        return next((value for value in values if value), None)

    @property
    def began(self) -> Instant:
        """When the first step was."""
        return self.seen[0].step.at

    def took(self, step: Step) -> AttemptStep | None:
        """Return the step of this kind, the last one if it was repeated."""
        return next((each.step for each in reversed(self.seen) if each.step.step is step), None)


def of_tenant(reader: Reader, tenant_id: TenantId, now: Instant) -> list[Attempt]:
    """Return the attempts that belong to a tenant, newest first."""
    return _attempts(reader, attempts.steps_of_tenant(reader, tenant_id, MOST), now)


def of_user(reader: Reader, user_id: UserId, now: Instant) -> list[Attempt]:
    """Return the attempts of one person, newest first."""
    return _attempts(reader, attempts.steps_of_user(reader, user_id, MOST), now)


def of_all(reader: Reader, now: Instant) -> list[Attempt]:
    """Return everybody's, newest first, also of clients that never opened a browser: for the operator."""
    steps = attempts.newest_steps(reader, 2 * MOST)
    groups = _grouped([step for step in steps if step.flow or step.connection_id or step.user_id])
    rest = [step for step in steps if not (step.flow or step.connection_id or step.user_id)]
    found = [_attempt(group, rest, now) for group in groups]
    used = {each.step.id for attempt in found for each in attempt.seen}
    alone = [_attempt(group, [], now) for group in _visits([step for step in rest if step.id not in used])]
    return sorted([*found, *alone], key=lambda each: -each.id)


def tenant_of(reader: Reader, user_id: UserId, resources: Sequence[str], origin: str) -> TenantId | None:
    """Return the tenant that a refused request is about, if that is certain: the URL's or the person's only one."""
    mine = {tenant.slug: tenant.id for tenant, _ in accounts.memberships_of_user(reader, user_id)}
    named = {resource.removeprefix(origin).strip("/").partition("/")[0] for resource in resources} & mine.keys()
    candidates = named or set(mine)
    return mine[candidates.pop()] if len(candidates) == 1 else None


def _attempts(reader: Reader, own: list[AttemptStep], now: Instant) -> list[Attempt]:
    if not own:
        return []
    since = Instant(min(step.at for step in own) - WINDOW)
    others = attempts.steps_of_no_tenant(reader, since, MOST)
    own_ids, flows = {step.id for step in own}, {step.flow for step in own if step.flow}
    # Of one flow is one person's one request: the steps before the tenant was chosen belong to it.
    own = [*own, *(step for step in others if step.flow in flows and step.id not in own_ids)]
    strangers = [step for step in others if step.flow is None and step.user_id is None]
    return sorted((_attempt(group, strangers, now) for group in _grouped(own)), key=lambda each: -each.id)


def _grouped(steps: Iterable[AttemptStep]) -> list[list[AttemptStep]]:
    """Return the steps of each attempt, oldest first."""
    ordered = sorted(steps, key=lambda step: step.id)
    flow_of = {step.connection_id: step.flow for step in ordered if step.connection_id and step.flow}
    groups: dict[str, list[AttemptStep]] = defaultdict(list)
    for step in ordered:
        groups[step.flow or flow_of.get(step.connection_id or "") or step.connection_id or f"step {step.id}"].append(
            step
        )
    return list(groups.values())


def _visits(steps: list[AttemptStep]) -> list[list[AttemptStep]]:
    """Return what strangers did, by caller, a pause of ``WINDOW`` between: clients that never opened a browser."""
    by_caller: dict[tuple[str, str], list[list[AttemptStep]]] = defaultdict(list)
    for step in sorted(steps, key=lambda step: step.id):
        visits = by_caller[step.address, step.agent]
        if not visits or step.at - visits[-1][-1].at > WINDOW:
            visits.append([])
        visits[-1].append(step)
    return [visit for visits in by_caller.values() for visit in visits]


def _attempt(group: list[AttemptStep], strangers: list[AttemptStep], now: Instant) -> Attempt:
    before = [Seen(step, likely=step.step is not Step.REGISTERED) for step in _likely(group, strangers)]
    seen = sorted([*before, *(Seen(step) for step in group)], key=lambda each: (each.step.at, each.step.id))
    state, stopped_at, code = _standing(group, now)
    return Attempt(id=group[0].id, seen=tuple(seen), state=state, stopped_at=stopped_at, code=code)


def _likely(group: list[AttemptStep], strangers: list[AttemptStep]) -> list[AttemptStep]:
    """Return the last of each kind of step that a client may have taken before this attempt."""
    first = group[0]
    client_id, path = (
        next((v for step in group if (v := getattr(step, name))), None) for name in ("client_id", "path")
    )
    addresses = {step.address for step in group if step.address}
    found: dict[Step, AttemptStep] = {}
    for step in strangers:
        if step.step not in _BEFORE or not 0 <= first.at - step.at <= WINDOW:
            continue
        if step.step is Step.REGISTERED:
            fits = client_id is not None and step.client_id == client_id
        else:
            fits = step.address in addresses and step.path in {None, path}
        if fits and (step.step not in found or found[step.step].id < step.id):
            found[step.step] = step
    return list(found.values())


def _standing(group: list[AttemptStep], now: Instant) -> tuple[State, Step | None, str | None]:
    last = max(group, key=lambda step: (step.at, step.id))
    if last.step is Step.DENIED:
        return State.STOPPED, Step.CONSENT, faults.ACCESS_DENIED.code
    if last.code is not None:
        return State.STOPPED, last.step, last.code
    if any(step.step is Step.CALLED for step in group):
        return State.CONNECTED, None, None
    patience, next_step = _PATIENCE[last.step]
    return (State.STOPPED, next_step, None) if now - last.at > patience else (State.WAITING, None, None)
