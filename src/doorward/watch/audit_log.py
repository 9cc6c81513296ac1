"""The use case behind the audit page, ``GET …/audit`` and ``doorward audit``: what happened in a tenant, newest first.

Two lists. *Changes* are the security events, written with what they describe; *calls* are what clients asked of MCP servers,
without arguments, which are written down nowhere.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from doorward import audit
from doorward.model import Cause, Instant, TenantId, UserId
from doorward.storage import accounts, audit_reads, records
from doorward.storage.audit_reads import CALLS, CHANGES, END, Looking
from doorward.storage.database import Reader, Transaction
from doorward.storage.statements import Row
from doorward.watch.filters import Meant
from doorward.watch.names import Named, Names
from doorward.watch.times import exactly

PAGE: Final = 50
EXPORTED_AT_ONCE: Final = 1000
DECISIONS: Final = ("allowed", "denied", "refused", "failed", "ignored")
GROUPS: Final = tuple(dict.fromkeys(name.partition(":")[0] for name in audit.EVENTS))
"""What events are about: the noun before the colon."""


class List(StrEnum):
    """Which log."""

    CHANGES = "changes"
    CALLS = "calls"


_TABLES: Final = {List.CHANGES: CHANGES, List.CALLS: CALLS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What is looked for. ``event`` is a name, or the noun of some; ``text`` stands anywhere, or is a request's id."""

    which: List
    tenant_id: TenantId | None
    """None: of the whole deployment, for who runs it."""
    only: Meant = Meant()
    event: str = ""
    decision: str = ""
    address: str = ""
    """Exactly: where the request came from."""
    text: str = ""
    since: Instant | None = None
    until: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row in words. ``what`` is the event's name, or the tool or method; ``outcome`` None for a change."""

    id: int
    at: Instant
    who: Named | None
    what: str
    words: str
    on: str
    credential: Named | None
    outcome: str | None
    reason: str
    detail: Mapping[str, str]
    request_id: str | None
    address: str | None
    """Where that came from."""
    row: Row

    @property
    def explained(self) -> Mapping[str, str] | None:
        """What to ask the page of explaining; None where there is nothing that was decided by name."""
        kinds = {"tools/call": "tool", "resources/read": "resource", "prompts/get": "prompt"}
        if self.outcome is None or self.who is None or self.row.name is None or self.row.method not in kinds:
            return None
        way = {"api_key": "key", "access_token": "connection"}.get(self.row.credential)
        asked = {"user": self.who.detail, "server": self.on, "kind": kinds[self.row.method], "name": self.row.name}
        return asked if way is None else asked | {way: self.row.credential_id}


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of one page; ``further`` is where the next begins, ``until`` how far back was looked for these."""

    entries: Sequence[Entry]
    further: int | None
    until: Instant | None


def look(reader: Reader, search: Search, *, before: int = END, most: int = PAGE) -> Page:
    """Return a page of what is looked for. Whether the asker may see it is for the caller to say."""
    found = audit_reads.look(reader, _looking(reader, search), before=before, most=most)
    names = Names(reader, search.tenant_id)
    return Page([_entry(row, search.which, names) for row in found.rows], found.further, found.until)


def exported(
    tx: Transaction, search: Search, *, actor_id: UserId | None, by: str, now: Instant, cause: Cause | None
) -> None:
    """Note that somebody takes the log away."""
    said = {
        "list": search.which.value,
        "by": by,
        "event": search.event,
        "decision": search.decision,
        "text": search.text,
    }
    tenant = None if search.tenant_id is None else accounts.tenant_by_id(tx, search.tenant_id)
    audit.record(
        tx, name="audit:exported", at=now, tenant_id=search.tenant_id, actor_id=actor_id,
        subject="all tenants" if tenant is None else tenant.slug,
        detail={name: value for name, value in said.items() if value}, cause=cause,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mark:
    """Where an export is: behind the row ``after``, and it ends with the row ``until``."""

    after: int
    until: int


def begin(reader: Reader, search: Search) -> Mark:
    """Return where an export begins and ends: with what there is now."""
    looking = _looking(reader, search)
    return Mark(audit_reads.first_id(reader, looking), audit_reads.newest_id(reader, looking.table))


def lines(reader: Reader, search: Search, mark: Mark) -> tuple[str, Mark | None]:
    """Return the next lines of JSON, oldest first, and where to go on; None at the end.

    JSON escapes a line break within a text: nobody forges a line with a name (case M9).
    """
    rows, last = audit_reads.following(
        reader, _looking(reader, search), after=mark.after, until=mark.until, most=EXPORTED_AT_ONCE
    )
    names = Names(reader, search.tenant_id)
    text = "".join(json.dumps(document(_entry(row, search.which, names))) + "\n" for row in rows)
    return text, None if last is None else Mark(last, mark.until)


def document(entry: Entry) -> dict[str, Any]:
    """Return a row as data: a line of the export, of ``--json`` and of the API."""
    row, who = entry.row, entry.who
    person = None if who is None else who.detail or None
    if entry.outcome is None:
        return {
            "id": entry.id, "at": exactly(entry.at), "event": entry.what, "actor_id": row.actor_id, "actor": person,
            "subject": row.subject, "detail": dict(entry.detail), "request_id": entry.request_id, "address": entry.address,
        }  # fmt: skip
    return {
        "id": entry.id, "at": exactly(entry.at), "user_id": row.user_id, "user": person, "credential": row.credential,
        "credential_id": row.credential_id, "client_id": row.client_id, "server": entry.on, "method": row.method,
        "name": row.name, "decision": row.decision, "reason": row.reason, "status": row.status,
        "duration_us": row.duration_us, "request_id": row.request_id, "address": entry.address,
    }  # fmt: skip


def _looking(reader: Reader, search: Search) -> Looking:
    only = search.only
    user = None if only.user_id is None else accounts.user_by_id(reader, only.user_id)
    values: dict[str, Any] = {
        "user": only.user_id, "client": only.client_id, "key": only.key_id, "tool": only.tool,
        "address": search.address, "decision": search.decision, "text": search.text, "since": search.since, "until": search.until,
        "event" if ":" in search.event else "group": search.event,
    }  # fmt: skip
    given = {name: value for name, value in values.items() if value not in {None, ""}}
    if "user" in given:
        given["email"] = given["user"] if user is None else user.email
    return Looking(_TABLES[search.which], search.tenant_id, given)


def _entry(row: Row, which: List, names: Names) -> Entry:
    return _change(row, names) if which is List.CHANGES else _call(row, names)


def _change(row: Row, names: Names) -> Entry:
    return Entry(
        id=int(row.id), at=Instant(row.at), who=None if row.actor_id is None else names.user(row.actor_id),
        what=row.name, words=audit.EVENTS.get(row.name, ""), on=_subject(row.subject, names), credential=None,
        outcome=None, reason="", detail=records.mapping(row.detail), request_id=row.request_id, address=row.address, row=row,
    )  # fmt: skip


def _call(row: Row, names: Names) -> Entry:
    return Entry(
        id=int(row.id), at=Instant(row.at), who=names.user(row.user_id), what=row.name or row.method, words=row.method,
        on=names.server(row.server_id), credential=names.credential(row.credential, row.credential_id),
        outcome=row.decision, reason=row.reason, detail={}, request_id=row.request_id, address=row.address, row=row,
    )  # fmt: skip


def _subject(subject: str, names: Names) -> str:
    person = names.user(subject)
    return f"{person.label} ({person.detail})" if person.detail else subject
