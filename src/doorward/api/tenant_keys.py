"""``/api/v1/tenants/{slug}/keys``: all keys of a tenant, for its administrators (features C6, C8).

What somebody makes is within what they, and the key that they come with, may do, and ends with that key at the latest.
"""

from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from typing import Any, Final

from doorward.api.call import Call, Page
from doorward.api.common import EMAIL, MAYBE_SAID, MAYBE_TIME, NODE, SAID_NODES, TIME
from doorward.api.problems import Problem, unknown
from doorward.api.route import TENANT, ApiRoute
from doorward.api.shapes import Choice, Each, Flag, Maybe, Members, Said, Shape, Text, Whole, answered
from doorward.credentials import key_changes, key_policies
from doorward.credentials.api_keys import CreatedKey, revoke_api_key
from doorward.credentials.key_changes import OVERLAPS, KeyUnknown, NewEnd, NewServers, key_of_tenant
from doorward.credentials.key_expiry import USUAL
from doorward.credentials.key_makers import KeyRefused
from doorward.credentials.key_views import KeyViews
from doorward.credentials.key_wishes import KeyWish, end_in_words, issue_key, networks_of, servers_named
from doorward.model import ApiKeyId, KeyMakers, NeverEnding, UserId
from doorward.protocol import faults
from doorward.protocol.faults import Fault
from doorward.rights import MANAGE_KEYS
from doorward.storage import accounts, api_key_lists, permissions
from doorward.storage.api_key_lists import START, KeyState, UsedKey

PATH: Final = f"{TENANT}/keys"
ONE: Final = f"{PATH}/{{key_id}}"
POLICY_PATH: Final = f"{TENANT}/key-policy"
_STATUS: Final[Mapping[Fault, HTTPStatus]] = {
    faults.KEY_WISH: HTTPStatus.UNPROCESSABLE_ENTITY,
    faults.KEY_ENDED: HTTPStatus.CONFLICT,
    faults.KEY_CHANGED: HTTPStatus.CONFLICT,
}
"""Those that are not here are 403: somebody else may do it."""
_TEXT: Final = Text(most=500)
_TEXTS: Final = Each(_TEXT)
_END: Final = Text(most=500, says="`30d`, `2027-01-31` or `never`.")
_STATES: Final = Choice([state.value for state in KeyState])
_MANY: Final = Each(Said(), most=10_000)
_KEY: Final[dict[str, Shape]] = {
    "id": Said(names="key_id"), "name": Said(), "user": MAYBE_SAID, "state": _STATES, "prefix": Said(), "last_four": Said(),
    "scopes": _MANY, "resources": Maybe(SAID_NODES), "servers": Maybe(_MANY), "addresses": _MANY, "created_at": TIME,
    "created_by": MAYBE_SAID, "expires_at": MAYBE_TIME, "rotated_at": MAYBE_TIME, "disabled_at": MAYBE_TIME,
    "revoked_at": MAYBE_TIME, "old_secrets": Each(answered(last_four=Said(), ends_at=TIME), most=10_000),
    "last_used": Maybe(answered(at=TIME, address=MAYBE_SAID, client=MAYBE_SAID)), "calls_30_days": Whole(),
}  # fmt: skip
KEY: Final = Members(_KEY, needs=tuple(_KEY), says="Never more of the secret than its last four.")
_TOLD: Final = {**_KEY, "key": Maybe(Said(), "The key itself, told once; null when the same request is repeated.")}
TOLD: Final = Members(_TOLD, needs=tuple(_TOLD))
WISH: Final = Members(
    {
        "name": _TEXT, "user": EMAIL, "scopes": _TEXTS, "resources": Each(NODE), "servers": _TEXTS,
        "addresses": _TEXTS, "expires": _END,
    },
    needs=("name",),
)  # fmt: skip
CHANGE: Final = Members(
    {"name": _TEXT, "addresses": _TEXTS, "servers": Maybe(_TEXTS, "Null: all of the tenant."), "disabled": Flag()},
    least=1,
)
_SAID_POLICY: Final[dict[str, Shape]] = {
    "max_days": Maybe(Whole(least=1, most=key_policies.LONGEST)),
    "never": Maybe(Choice([each.value for each in NeverEnding])),
    "create": Maybe(Choice([each.value for each in KeyMakers])),
}
POLICY: Final = answered(**_SAID_POLICY, living_longer=Whole(says="Keys that were made for longer."))


def _list(call: Call) -> Page[dict[str, Any]]:
    owner = None
    if "user" in call.query:
        owner = _member(call, call.query["user"])
        if owner is None:
            # The same for somebody of another tenant and for nobody (decision 0077.8).
            return Page([])
    state = KeyState(call.query["state"]) if "state" in call.query else None
    at, name = call.after or START
    found = api_key_lists.keys_of_tenant(
        call.tx, call.tenant.id, now=call.now, owner=owner, state=state, after=(at, name), most=call.most + 1
    )
    views = KeyViews(call.tx, call.tenant.id, call.now)
    return call.page(found, _mark).told(views.described)


def _mark(used: UsedKey) -> tuple[int, str]:
    return used.key.created_at, used.key.id


def _member(call: Call, email: str) -> UserId | None:
    user = accounts.user_by_email(call.tx, email.strip().lower())
    return user.id if user is not None and permissions.is_member(call.tx, call.tenant.id, user.id) else None


def _show(call: Call) -> dict[str, Any]:
    key = key_of_tenant(call.tx, call.tenant, ApiKeyId(call.path["key_id"]), call.maker())
    return _described(call, key.id)


def _create(call: Call) -> dict[str, Any]:
    said = call.body
    nodes = said.get("resources")
    wish = KeyWish(
        name=said["name"], owner=said.get("user"), scopes=_tuple(said, "scopes"), servers=_tuple(said, "servers"),
        resources=None if nodes is None else tuple((node["type"], node["key"]) for node in nodes),
        networks=_tuple(said, "addresses") or (), expires=said.get("expires", USUAL),
    )  # fmt: skip
    issued = issue_key(
        call.tx, wish, tenant=call.tenant, maker=call.maker(), now=call.now, entropy=call.parts.entropy,
        fingerprinter=call.parts.fingerprinter, prefix=call.parts.key_prefix, cause=call.cause,
    )  # fmt: skip
    return _told(call, issued.created)


def _rotate(call: Call) -> dict[str, Any]:
    said = call.body
    made = key_changes.rotate_api_key(
        call.tx, ApiKeyId(call.path["key_id"]), tenant=call.tenant, maker=call.maker(),
        overlap=OVERLAPS[said.get("keep", "24h")],
        end=NewEnd(end_in_words(said["expires"], call.now)) if "expires" in said else None, now=call.now,
        entropy=call.parts.entropy, fingerprinter=call.parts.fingerprinter, prefix=call.parts.key_prefix,
        cause=call.cause,
    )  # fmt: skip
    return _told(call, made)


def _change(call: Call) -> dict[str, Any]:
    said, which = call.body, ApiKeyId(call.path["key_id"])
    common: dict[str, Any] = {
        "tenant": call.tenant, "maker": call.maker(), "now": call.now, "cause": call.cause,
    }  # fmt: skip
    if said.keys() & {"name", "addresses", "servers"}:
        networks = networks_of(said["addresses"]) if "addresses" in said else None
        servers = None
        if "servers" in said:
            slugs = None if said["servers"] is None else tuple(said["servers"])
            servers = NewServers(servers_named(call.tx, slugs, call.tenant))
        key_changes.change_api_key(call.tx, which, name=said.get("name"), networks=networks, servers=servers, **common)
    if said.get("disabled") is True:
        key_changes.disable_api_key(call.tx, which, **common)
    elif said.get("disabled") is False:
        key_changes.enable_api_key(call.tx, which, **common)
    return _described(call, which)


def _revoke(call: Call) -> dict[str, Any]:
    """End a key for ever; the same answer where it had ended before."""
    key = key_of_tenant(call.tx, call.tenant, ApiKeyId(call.path["key_id"]), call.maker())
    revoke_api_key(
        call.tx, tenant_id=call.tenant.id, key_id=key.id, by=call.caller.user_id, now=call.now,
        cause=call.cause,
    )  # fmt: skip
    return _described(call, key.id)


def _policy(call: Call) -> dict[str, Any]:
    beyond = key_policies.beyond(call.tx, call.tenant, call.now)
    return {**key_policies.described(call.tenant.key_policy), "living_longer": beyond}


def _set_policy(call: Call) -> dict[str, Any]:
    said = call.body
    try:
        policy = key_policies.parsed(said.get("max_days"), said.get("never"), said.get("create"))
    except ValueError as wrong:
        raise KeyRefused(f"{wrong}.", "policy refused") from wrong
    done = key_policies.set_policy(call.tx, call.tenant, policy, maker=call.maker(), now=call.now, cause=call.cause)
    return {**key_policies.described(done.policy), "living_longer": done.beyond}


def _told(call: Call, made: CreatedKey) -> dict[str, Any]:
    return {**_described(call, made.key.id), "key": made.text}


def _described(call: Call, key_id: ApiKeyId) -> dict[str, Any]:
    used = api_key_lists.used_key(call.tx, key_id, call.now)
    if used is None:
        raise KeyUnknown
    return KeyViews(call.tx, call.tenant.id, call.now).described(used)


def _tuple(said: Mapping[str, Any], name: str) -> tuple[str, ...] | None:
    return tuple(said[name]) if name in said else None


def _refused(refused: KeyRefused) -> Problem:
    status = _STATUS.get(refused.fault, HTTPStatus.FORBIDDEN)
    errors = [(f"/{refused.field}", refused.public)] if refused.field else []
    return Problem(status, refused.public, errors=errors, fault=refused.fault)


_route = partial(
    ApiRoute, needs=MANAGE_KEYS,
    limited="A key that is limited to a part of the tree cannot look after the tenant's keys.",
    refusals={KeyRefused: _refused, KeyUnknown: lambda _: unknown("There is no such key in this tenant.")},
)  # fmt: skip
_ENDED: Final = {HTTPStatus.CONFLICT: "The key has ended, is disabled, or was changed at this moment."}
ROUTES: Final = (
    _route(
        method="GET", path=PATH, name="keys.list", says="The keys of the tenant, newest first.", use=_list,
        answer=KEY, pages="keys", query=Members({"user": EMAIL, "state": _STATES}),
    ),
    _route(
        method="POST", path=PATH, name="keys.create", says="Make a key, for oneself or for `user`.", use=_create,
        answer=TOLD, status=HTTPStatus.CREATED, body=WISH, secrets=("key",), also=_ENDED,
    ),
    _route(method="GET", path=ONE, name="keys.show", says="One key.", use=_show, answer=KEY),
    _route(
        method="PATCH", path=ONE, name="keys.change", says="Change what is said, all or nothing.", use=_change,
        answer=KEY, also=_ENDED, body=CHANGE,
    ),
    _route(
        method="POST", path=f"{ONE}/rotate", name="keys.rotate", says="Give the key a new secret.", use=_rotate,
        answer=TOLD, secrets=("key",), also=_ENDED,
        body=Members({"keep": Choice(list(OVERLAPS), "How long the old secret goes on."), "expires": _END}),
    ),
    _route(
        method="POST", path=f"{ONE}/revoke", name="keys.revoke", says="End the key for ever.", use=_revoke, answer=KEY,
        fresh=False,
    ),
    _route(method="GET", path=POLICY_PATH, name="key-policy.show", says="How keys are made here.", use=_policy, answer=POLICY),
    _route(
        method="PUT", path=POLICY_PATH, name="key-policy.set", says="Say how keys are made from now on.",
        use=_set_policy, answer=POLICY, body=Members(_SAID_POLICY),
    ),
)  # fmt: skip
