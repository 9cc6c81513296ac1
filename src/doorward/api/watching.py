"""``/api/v1/tenants/{slug}/usage``, ``…/audit`` and ``…/settings``: what was called, what was done, what holds (F2)."""

from dataclasses import fields
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

from doorward.accounts import tenant_settings
from doorward.accounts.tenant_settings import LONGEST_TTL, MOST_CALLS, SHORTEST_TTL, By, SettingRefused
from doorward.api.call import Call, Page
from doorward.api.problems import Problem, not_as_described
from doorward.api.route import TENANT, ApiRoute
from doorward.api.shapes import Anything, Choice, Each, Maybe, Members, Said, Text, Whole, answered
from doorward.audit import EVENTS
from doorward.model import SECOND, Instant, Rates
from doorward.protocol import faults
from doorward.rights import MANAGE_TENANT, SEE_AUDIT, SEE_USAGE
from doorward.storage.audit_reads import END
from doorward.storage.usage_sums import Kind
from doorward.watch import audit_log, filters, usage
from doorward.watch.audit_log import DECISIONS, List, Search
from doorward.watch.filters import Meant, Typed, Unknown
from doorward.watch.usage import RANGES, USUAL, Wanted

USAGE_PATH: Final = f"{TENANT}/usage"
AUDIT_PATH: Final = f"{TENANT}/audit"
SETTINGS_PATH: Final = f"{TENANT}/settings"
_PARTLY: Final = "A key that is limited to a part of the tree cannot look at the whole tenant."
_DAY: Final = Text(least=10, most=10, pattern=r"[0-9]{4}-[0-9]{2}-[0-9]{2}", like="a day like 2026-11-20")
_ONLY: Final = {
    "user": Text(most=254, says="Of this person: address or id."), "client": Text(says="Of this app, by id."),
    "key": Text(says="Of this API key: id, or what lists show of it."), "tool": Text(says="Of this tool."),
}  # fmt: skip
_DAYS: Final = Choice([str(days) for days in RANGES], says=f"{USUAL} where it is not said; 1: the last 24 hours.")
_MAYBE_WHOLE: Final = Maybe(Whole())
_RATES: Final = [item.name for item in fields(Rates)]


def _only(call: Call) -> Meant:
    try:
        return filters.meant(call.tx, call.tenant.id, Typed(**{name: call.query.get(name, "") for name in _ONLY}))
    except Unknown as unknown:
        raise _not_here(unknown) from unknown


def _address(call: Call) -> str:
    try:
        return filters.address(call.query.get("address", ""))
    except Unknown as unknown:
        raise _not_here(unknown) from unknown


def _not_here(unknown: Unknown) -> Problem:
    return not_as_described("The query names what is not here.", [(f"/{unknown.field}", str(unknown))])


def _usage(call: Call) -> dict[str, Any]:
    by = call.query.get("by")
    wanted = Wanted(
        tenant_id=call.tenant.id, days=int(call.query.get("days", USUAL)), only=_only(call),
        whole=None if by is None else Kind(by),
    )  # fmt: skip
    return usage.described(usage.report(call.tx, wanted, call.now))


def _audit(call: Call) -> Page[dict[str, Any]]:
    query = call.query
    search = Search(
        which=List(query.get("list", List.CHANGES.value)), tenant_id=call.tenant.id, only=_only(call), address=_address(call),
        event=query.get("event", ""), decision=query.get("decision", ""), text=query.get("text", ""),
        since=_moment(query, "since", 0), until=_moment(query, "until", 1),
    )  # fmt: skip
    before = int(call.after[0]) if call.after else END
    found = audit_log.look(call.tx, search, before=before, most=call.most)
    items = [audit_log.document(entry) for entry in found.entries]
    return Page(items, None if found.further is None else (found.further,))


def _moment(query: Any, name: str, days: int) -> Instant | None:
    if name not in query:
        return None
    try:
        seconds = int(datetime.fromisoformat(query[name]).replace(tzinfo=UTC).timestamp())
    except ValueError as wrong:
        raise not_as_described("The query names no day.", [(f"/{name}", "must be a day like 2026-11-20")]) from wrong
    return Instant((seconds + days * 86_400) * SECOND)


def _settings(call: Call) -> dict[str, Any]:
    return tenant_settings.described(call.tenant)


def _change(call: Call) -> dict[str, Any]:
    said = dict(call.body)
    if "name" in said:
        said["name"] = tenant_settings.named(said["name"])
    if "rates" in said:
        said["rates"] = Rates(**{name: said["rates"].get(name) for name in _RATES})
    if said.get("sign_in_methods") is not None:
        said["sign_in_methods"] = tuple(dict.fromkeys(said["sign_in_methods"]))
    caller = call.caller
    by = By(user_id=caller.user_id, session=caller.session, cause=call.cause)
    return tenant_settings.described(tenant_settings.change(call.tx, call.tenant.id, by=by, now=call.now, **said))


def _refused(refused: SettingRefused) -> Problem:
    field = {"methods": "sign_in_methods"}.get(refused.field, refused.field)
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        str(refused),
        errors=[(f"/{field}", str(refused))],
        fault=faults.REQUEST_INVALID,
    )


_SAID_RATES: Final = Members(
    {name: Maybe(Whole(most=MOST_CALLS)) for name in _RATES}, says="Null: as the deployment has it."
)
_SETTINGS: Final = answered(
    slug=Said(), name=Said(), access_ttl=Maybe(Whole()), sign_in_methods=Maybe(Each(Said(), most=1000)),
    rates=answered(**dict.fromkeys(_RATES, _MAYBE_WHOLE)),
)  # fmt: skip
ROUTES: Final = (
    ApiRoute(
        method="GET", path=USAGE_PATH, name="usage.show", says="How much was called, over time and by whom.",
        needs=SEE_USAGE, use=_usage, limited=_PARTLY,
        query=Members({**_ONLY, "days": _DAYS, "by": Choice(["tool", "client", "user", "key"], says="List all of one side.")}),
        answer=Anything(object_only=True, says="Numbers in all, `over_time`, and `by_tool`, `by_client`, `by_user`, `by_key`."),
    ),
    ApiRoute(
        method="GET", path=AUDIT_PATH, name="audit.list", says="What was done, or called, newest first.",
        needs=SEE_AUDIT, use=_audit, pages="entries", limited=_PARTLY,
        query=Members({
            **_ONLY, "list": Choice([each.value for each in List], says="`changes` where it is not said."),
            "event": Choice([*audit_log.GROUPS, *EVENTS], says="Changes: an event, or the noun it begins with."),
            "address": Text(most=60, says="What came from this IP address."), "decision": Choice(DECISIONS, says="Calls: how they ended."),
            "text": Text(says="Words, or the id of a request."), "since": _DAY, "until": _DAY,
        }),
        answer=Anything(object_only=True, says="A change or a call, as in the export."),
    ),
    ApiRoute(
        method="GET", path=SETTINGS_PATH, name="settings.show", says="What the tenant says of itself.",
        needs=MANAGE_TENANT, use=_settings, limited=_PARTLY, answer=_SETTINGS,
    ),
    ApiRoute(
        method="PATCH", path=SETTINGS_PATH, name="settings.change", says="Change what is named of it.",
        needs=MANAGE_TENANT, use=_change, limited=_PARTLY, answer=_SETTINGS, refusals={SettingRefused: _refused},
        body=Members({
            "name": Text(most=tenant_settings.LONGEST_NAME), "access_ttl": Maybe(Whole(least=SHORTEST_TTL, most=LONGEST_TTL)),
            "sign_in_methods": Maybe(Each(Text(most=64), most=100)), "rates": _SAID_RATES,
        }),
    ),
)  # fmt: skip
