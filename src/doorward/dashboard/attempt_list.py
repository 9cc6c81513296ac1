"""What the page of connection attempts shows, and to whom: one's own, or those of a tenant that one administers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from doorward.authserver import attempts
from doorward.authserver.admission import Admission, https_host
from doorward.authserver.attempts import Attempt, Seen, State
from doorward.authserver.clients import ClientDirectory
from doorward.clients import profiles, stops
from doorward.clients.stops import Advice
from doorward.dashboard import tenant_desk
from doorward.model import ClientId, Instant, Session, Tenant, User, UserId
from doorward.protocol import faults
from doorward.rights import MANAGE_CLIENTS
from doorward.storage import accounts
from doorward.storage.attempts import Step
from doorward.storage.database import Reader

OWN: Final = "-"
"""Stands for no tenant: one's own attempts."""
SHOWN: Final = 100
TITLES: Final = {
    Step.KNOCKED: "Came without a valid token",
    Step.METADATA: "Read where to sign in",
    Step.REGISTERED: "Registered",
    Step.AUTHORIZE: "Opened the browser",
    Step.SIGN_IN: "Asked the person to sign in",
    Step.CONSENT: "Asked the person",
    Step.APPROVED: "Was approved",
    Step.DENIED: "Was denied",
    Step.TOKEN: "Got its token",
    Step.CALLED: "Made its first request",
    Step.REFRESHED: "Renewed its token",
}
_PATH: Final = (Step.AUTHORIZE, Step.SIGN_IN, Step.CONSENT, Step.APPROVED, Step.TOKEN, Step.CALLED)
_ASKS: Final = {faults.CLIENT_NOT_ALLOWED.code: "client", faults.REDIRECT_NOT_REGISTERED.code: "redirect"}


@dataclass(frozen=True, slots=True)
class Place:
    """Whose attempts are shown: those of ``tenant``, or with None the user's own. ``tenants`` may be chosen."""

    user: User
    tenant: Tenant | None
    tenants: Sequence[Tenant]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One attempt in words. ``missing`` are the steps that were not reached."""

    attempt: Attempt
    client: str
    verified: str | None
    person: User | None
    title: str
    advice: Advice | None
    missing: Sequence[str]

    @property
    def steps(self) -> list[tuple[Seen, str]]:
        """Each step with its title."""
        return [(each, TITLES[each.step.step]) for each in self.attempt.seen]

    @property
    def stopped_without_step(self) -> bool:
        """Say whether what stopped it is that something never came."""
        attempt = self.attempt
        return attempt.state is State.STOPPED and attempt.code is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Something that an administrator may allow: a ``client``, or one ``redirect`` URI of it."""

    what: str
    row: Row
    client_id: str
    redirect_uri: str
    host: str | None


def place(reader: Reader, here: tuple[Session, User], slug: str) -> Place:
    """Return what this person is shown: the tenant of this slug, the first one that they administer, or their own.

    Raises ``Refused`` for a tenant that they do not administer.
    """
    chosen, found = tenant_desk.place_if_any(reader, here, "" if slug == OWN else slug, (MANAGE_CLIENTS,))
    return Place(here[1], None if slug == OWN else chosen, found)


def rows(reader: Reader, here: Place, now: Instant) -> list[Row]:
    """Return the newest attempts, newest first."""
    if here.tenant is None:
        found = attempts.of_user(reader, here.user.id, now)
    else:
        found = attempts.of_tenant(reader, here.tenant.id, now)
    return [described(reader, each) for each in found[:SHOWN]]


def described(reader: Reader, attempt: Attempt) -> Row:
    """Return an attempt in words."""
    client_id, uri = attempt.last("client_id"), attempt.last("redirect_uri")
    name = attempt.last("client_name") or client_id or "An unknown client"
    verified = profiles.verified_host(uri or "", client_id or "")
    user_id = attempt.last("user_id")
    person = None if user_id is None else accounts.user_by_id(reader, UserId(user_id))
    return Row(
        attempt=attempt,
        client=name,
        verified=verified,
        person=person,
        title=_title(attempt),
        advice=_advice(attempt, client_id, uri, name),
        missing=_missing(attempt),
    )


def waiting(
    reader: Reader, here: Place, found: Iterable[Row], admission: Admission, directory: ClientDirectory
) -> list[Waiting]:
    """Return what was refused for want of an administrator's word and still would be, each once."""
    if here.tenant is None:
        return []
    asked: dict[tuple[str, str, str], Waiting] = {}
    for row in found:
        what = _ASKS.get(row.attempt.code or "")
        client_id, uri = row.attempt.last("client_id"), row.attempt.last("redirect_uri")
        if what is None or client_id is None or uri is None or uri.startswith("("):
            continue
        client = directory.asking(reader, ClientId(client_id))
        if client is None or admission.why_not(reader, here.tenant.id, client, uri) is None:
            continue
        if not all(verdict.allowed for verdict in admission.said(reader, here.tenant.id, client, uri)):
            continue  # it was denied: nobody waits any more
        one = Waiting(what=what, row=row, client_id=client_id, redirect_uri=uri, host=https_host(uri))
        asked.setdefault((what, client_id, uri if what == "redirect" else ""), one)
    return list(asked.values())


def _title(attempt: Attempt) -> str:
    if attempt.state is State.CONNECTED:
        return "Connected"
    if attempt.state is State.WAITING:
        return "Under way"
    if attempt.code is not None:
        return faults.FAULTS[attempt.code].title if attempt.code in faults.FAULTS else "Refused"
    return {
        Step.METADATA: "Knocked and went away",
        Step.AUTHORIZE: "Never opened a browser",
        Step.SIGN_IN: "Nobody signed in",
        Step.CONSENT: "Nobody answered",
        Step.TOKEN: "Never came for its token",
    }.get(attempt.stopped_at or Step.CALLED, "Signed in, but never called")


def _advice(attempt: Attempt, client_id: str | None, uri: str | None, name: str) -> Advice | None:
    if attempt.stopped_at is None:
        return None
    found = stops.advice(
        stopped_at=attempt.stopped_at.value, code=attempt.code, redirect_uri=uri, client_id=client_id, name=name
    )
    fault = faults.FAULTS.get(attempt.code or "")
    return found if found is not None or fault is None else Advice(fault.cause, fault.fix, known=False)


def _missing(attempt: Attempt) -> list[str]:
    taken = {each.step.step for each in attempt.seen}
    if attempt.state is State.CONNECTED or Step.CALLED in taken:
        return []
    last = max((_PATH.index(step) for step in taken if step in _PATH), default=-1)
    return [TITLES[step] for step in _PATH[last + 1 :] if step is not Step.SIGN_IN]
