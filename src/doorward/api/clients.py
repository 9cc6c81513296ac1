"""``/api/v1/tenants/{slug}/clients``: OAuth clients that people registered for a tenant, for its administrators (B5).

A secret is told once, in the answer to what made it. What a client is limited to holds at the next call, with every token.
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
from doorward.authserver import registered, registered_list
from doorward.authserver.client_makers import ClientRefused, ClientUnknown, ClientWork, by_key, person
from doorward.authserver.client_wishes import METHODS, ClientWish
from doorward.credentials.key_changes import OVERLAPS
from doorward.credentials.key_makers import known_to_others
from doorward.model import SECOND, Client, ClientId, Instant, Status
from doorward.protocol import faults
from doorward.protocol.faults import Fault
from doorward.rights import MANAGE_CLIENTS
from doorward.storage import registered_clients
from doorward.storage.registered_clients import START

PATH: Final = f"{TENANT}/clients"
ONE: Final = f"{PATH}/{{client_id}}"
_STATUS: Final[Mapping[Fault, HTTPStatus]] = {
    faults.CLIENT_WISH: HTTPStatus.UNPROCESSABLE_ENTITY,
    faults.CLIENT_ENDED: HTTPStatus.CONFLICT,
    faults.CLIENT_MANY: HTTPStatus.CONFLICT,
}
"""Those that are not here are 403: somebody else may do it."""
_TEXTS: Final = Each(Text(most=500))
_MANY: Final = Each(Said(), most=10_000)
_METHODS: Final = Choice(list(METHODS), "How it proves who it is; `none`: a public client, with PKCE alone.")
_CLIENT: Final[dict[str, Shape]] = {
    "id": Said(names="client_id"), "name": Said(), "state": Choice(["active", "disabled", "deleted"]),
    "type": Choice(["public", "confidential"]), "auth_method": _METHODS, "redirect_uris": _MANY, "grant_types": _MANY,
    "scopes": Maybe(_MANY), "resources": Maybe(SAID_NODES), "owner": MAYBE_SAID, "service_account": MAYBE_SAID,
    "created_at": TIME, "deleted_at": MAYBE_TIME, "connections": Whole(), "people": Whole(),
    "secrets": Each(answered(id=Said(names="secret_id"), good=Flag(), created_at=TIME, ends_at=MAYBE_TIME), most=10_000),
}  # fmt: skip
CLIENT: Final = Members(_CLIENT, needs=tuple(_CLIENT), says="Never more of a secret than by which name it goes.")
_TOLD: Final = {**_CLIENT, "secret": Maybe(Said(), "Told once; null where there is none, or the request is repeated.")}
TOLD: Final = Members(_TOLD, needs=tuple(_TOLD))
_WISH: Final[dict[str, Shape]] = {
    "name": Text(most=500),
    "auth_method": _METHODS,
    "redirect_uris": Each(Text(most=2048)),
    "scopes": Maybe(_TEXTS, "What it may have at most; null: what its people may."),
    "resources": Maybe(Each(NODE), "Nodes that it reaches at most, with all below; null: all."),
    "service_account": Maybe(EMAIL, "Whom it acts for by itself (client credentials)."),
    "jwks": Maybe(Text(most=20_000, pattern=r"[^\x00\ud800-\udfff]*"), "A JWK Set, as text, for `private_key_jwt`."),
}
WISH: Final = Members(_WISH, needs=("name",))


def _work(call: Call) -> ClientWork:
    key = call.caller.key
    maker = (
        person(call.tx, call.tenant.id, call.caller.user_id)
        if key is None
        else by_key(key, known_to_others(call.tx, key))
    )
    return ClientWork(
        tenant=call.tenant, maker=maker, now=call.now, entropy=call.parts.entropy,
        fingerprinter=call.parts.fingerprinter, cause=call.cause,
    )  # fmt: skip


def _wish(said: Mapping[str, Any]) -> ClientWish:
    nodes, scopes = said.get("resources"), said.get("scopes")
    return ClientWish(
        name=said["name"], method=said.get("auth_method", "none"), redirect_uris=tuple(said.get("redirect_uris", ())),
        scopes=None if scopes is None else tuple(scopes),
        resources=None if nodes is None else tuple((node["type"], node["key"]) for node in nodes),
        service_account=said.get("service_account"), jwks=said.get("jwks"),
    )  # fmt: skip


def _list(call: Call) -> Page[dict[str, Any]]:
    at, name = call.after or START
    found = registered_clients.clients_of_tenant(
        call.tx, call.tenant.id, owner=None, after=(at, name), most=call.most + 1
    )
    return call.page(found, _mark).told(lambda client: _described(call, client.id))


def _mark(client: Client) -> tuple[int, str]:
    return client.created_at, client.id


def _show(call: Call) -> dict[str, Any]:
    return _described(call, _id(call))


def _create(call: Call) -> dict[str, Any]:
    made = registered.register(call.tx, _wish(call.body), _work(call))
    return {**_described(call, made.client.id), "secret": made.secret}


def _replace(call: Call) -> dict[str, Any]:
    registered.change(call.tx, _id(call), _wish(call.body), _work(call))
    return _described(call, _id(call))


def _switch(call: Call) -> dict[str, Any]:
    status = Status.DISABLED if call.body["disabled"] else Status.ACTIVE
    registered.set_status(call.tx, _id(call), status, _work(call))
    return _described(call, _id(call))


def _delete(call: Call) -> dict[str, Any]:
    """End a client for ever; the same answer where it had ended before."""
    registered.delete(call.tx, _id(call), _work(call))
    return _described(call, _id(call))


def _add_secret(call: Call) -> dict[str, Any]:
    made = registered.add_secret(call.tx, _id(call), _work(call))
    return {**_described(call, _id(call)), "secret": made.text}


def _retire(call: Call) -> dict[str, Any]:
    work = _work(call)
    until = Instant(work.now + OVERLAPS[call.body.get("in", "24h")] * SECOND)
    registered.retire_secret(call.tx, _id(call), call.path["secret_id"], until, work)
    return _described(call, _id(call))


def _id(call: Call) -> ClientId:
    return ClientId(call.path["client_id"])


def _described(call: Call, client_id: ClientId) -> dict[str, Any]:
    found = registered_list.facts(call.tx, call.tenant, _work(call).maker, client_id, call.now)
    return registered_list.described(found, call.now)


def _refused(refused: ClientRefused) -> Problem:
    status = _STATUS.get(refused.fault, HTTPStatus.FORBIDDEN)
    place = {"method": "auth_method"}.get(refused.field, refused.field)
    return Problem(status, refused.public, errors=[(f"/{place}", refused.public)] if place else [], fault=refused.fault)


_route = partial(
    ApiRoute, needs=MANAGE_CLIENTS,
    limited="A key that is limited to a part of the tree cannot look after the tenant's apps.",
    refusals={ClientRefused: _refused, ClientUnknown: lambda _: unknown("There is no such app in this tenant.")},
)  # fmt: skip
_ENDED: Final = {HTTPStatus.CONFLICT: "The app was deleted, or there are as many as there may be."}
ROUTES: Final = (
    _route(
        method="GET", path=PATH, name="clients.list", says="The registered apps of the tenant, newest first.", use=_list,
        answer=CLIENT, pages="clients",
    ),
    _route(
        method="POST", path=PATH, name="clients.create", says="Register an app for the tenant.", use=_create, answer=TOLD,
        status=HTTPStatus.CREATED, body=WISH, secrets=("secret",), also=_ENDED,
    ),
    _route(method="GET", path=ONE, name="clients.show", says="One app.", use=_show, answer=CLIENT),
    _route(
        method="PUT", path=ONE, name="clients.replace", says="Let it be as the body says, all of it.", use=_replace,
        answer=CLIENT, body=WISH, also=_ENDED,
    ),
    _route(
        method="PATCH", path=ONE, name="clients.switch", says="Disable it for now, or let it work again.", use=_switch,
        answer=CLIENT, body=Members({"disabled": Flag()}, needs=("disabled",)), also=_ENDED,
    ),
    _route(
        method="DELETE", path=ONE, name="clients.delete", says="End it for ever, with its secrets and connections.",
        use=_delete, answer=CLIENT, fresh=False,
    ),
    _route(
        method="POST", path=f"{ONE}/secrets", name="clients.add-secret", says="One more secret; those there are stay good.",
        use=_add_secret, answer=TOLD, secrets=("secret",), also=_ENDED,
    ),
    _route(
        method="POST", path=f"{ONE}/secrets/{{secret_id}}/retire", name="clients.retire-secret",
        says="Let a secret be good for a while longer, and never again.", use=_retire, answer=CLIENT, fresh=False,
        body=Members({"in": Choice(list(OVERLAPS), "When it ends.")}), also=_ENDED,
    ),
)  # fmt: skip
