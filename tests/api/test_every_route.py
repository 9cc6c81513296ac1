"""What must hold for every route of the management API, tried on each from the table: a new one cannot be forgotten.

Acme is the tenant that is attacked; Mallory owns Globex. Each route with an id in its path is asked for Acme's own things,
and has to answer as if they had never been (M1).
"""

import os
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from doorward.api.openapi import document, statuses
from doorward.api.route import ONESELF, ApiRoute
from doorward.api.shapes import (
    Anything,
    Choice,
    Each,
    Flag,
    MapOf,
    Maybe,
    Members,
    Said,
    Shape,
    Text,
    Whole,
    read,
)
from doorward.api.table import ROUTES
from doorward.bootstrap.approvals import approval_terms
from doorward.credentials.api_keys import create_api_key
from doorward.model import (
    ApprovalId,
    Approvers,
    ClientAuthMethod,
    ClientId,
    ClientKind,
    Effect,
    Fingerprint,
    Instant,
    Invitation,
    MailDomain,
    Override,
    Permission,
    PermissionEntry,
    Role,
    RoleId,
    ServerId,
    Tenant,
    ToolState,
    User,
    UserId,
)
from doorward.policy.permission import expand
from doorward.rights import ADMINISTRATION
from doorward.storage import (
    accounts,
    attempts,
    clients,
    connections,
    invitations,
    known_tools,
    mail_domains,
    overrides,
    permissions,
    servers,
)
from doorward.storage.attempts import AttemptStep, Step
from doorward.storage.database import Reader, Transaction
from doorward.storage.known_tools import KnownTool
from doorward.storage.schema import metadata
from doorward.storage.statements import Statement
from support.asking import asked
from support.pages import CATALOGUE, PASSWORD
from support.rows import ACME, ALICE, BOB, CLIENT, CONNECTION, GLOBEX, HARBOUR, NOW, OWNER
from support.whole import Whole as Program
from support.whole import opened_whole

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("F4", "M1")]
MALLORY = User(id=UserId("u-mallory"), email="mallory@globex.test", name="Mallory", created_at=NOW)
ALL = (*CATALOGUE, *(PermissionEntry(permission=each, words=words) for each, words in ADMINISTRATION.items()))
RIGHTS = expand(("*:*",), [entry.permission for entry in ALL])
ME = "/api/v1/me"
OWN = {"sec-fetch-site": "same-origin"}
SECRET_SERVER = replace(HARBOUR, id=ServerId("s-secret"), slug="secret", paths=("/secret",))
VARIABLE = re.compile(r"{(\w+)}")
ids = [f"{route.method} {route.path}" for route in ROUTES]
every_route = pytest.mark.parametrize("route", ROUTES, ids=ids)
WITH_ID = [route for route in ROUTES if set(VARIABLE.findall(route.path)) - {"slug"}]
TELLS_ITS_MEMBERS = [route for route in ROUTES if route.body is not None]


@dataclass
class House:
    """The program, keys of several people, and the ids of Acme's own things by the variable that stands for them."""

    program: Program
    keys: Mapping[str, str]
    things: Mapping[str, str]
    _tabs: dict[str, tuple[Any, str]]

    async def by_key(self, route: ApiRoute, path: str, key: str = "mallory", **more: Any) -> Any:
        authorization = {"authorization": f"Bearer {self.keys.get(key, key)}"}
        return await self._send(
            self.program.browser().client, route, path, authorization | more.pop("headers", {}), more
        )

    async def by_session(self, route: ApiRoute, path: str, user: User = MALLORY, **more: Any) -> Any:
        client, csrf = await self.tab(user)
        return await self._send(client, route, path, {**OWN, "doorward-csrf": csrf, **more.pop("headers", {})}, more)

    async def tab(self, user: User) -> tuple[Any, str]:
        if user.id not in self._tabs:
            browser = self.program.browser()
            assert (await browser.sign_in(user)).status_code == 303
            said = await browser.client.get(ME, headers={**OWN, "accept": "*/*"})
            self._tabs[user.id] = browser.client, said.json()["csrf"]
        return self._tabs[user.id]

    async def _send(self, client: Any, route: ApiRoute, path: str, headers: Mapping[str, str], more: Any) -> Any:
        body = {} if route.body is None else {"json": more.get("body", example(route.body))}
        return await client.request(route.method, path, headers={"accept": "*/*", **headers}, **body)

    async def state(self) -> Any:
        """Return all that is stored of Acme and of people."""
        return await self.program.database.read_long(_state)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, anyio_backend: str) -> AsyncIterator[House]:
    async with opened_whole(tmp_path_factory.mktemp("house")) as program:
        hashed = await program.core.passwords.hash(PASSWORD)
        keys = await program.change(lambda tx: _people(tx, program, hashed))
        things = await program.change(lambda tx: _things(tx, program))
        house = House(program, keys, things, {})
        yield house


def _people(tx: Transaction, program: Program, hashed: str) -> dict[str, str]:
    accounts.insert_user(tx, MALLORY, hashed)
    permissions.put_catalogue(tx, ALL)
    permissions.put_role(tx, replace(OWNER, id=RoleId("r-globex-owner"), tenant_id=GLOBEX.id))
    permissions.set_membership(tx, GLOBEX.id, MALLORY.id, ("owner",))
    permissions.set_membership(tx, ACME.id, BOB.id, ("viewer",))
    own = Role(id=RoleId("r-own"), tenant_id=ACME.id, name="acmes-own", permissions=("documents:read",))
    permissions.put_role(tx, own)
    servers.put_server(tx, SECRET_SERVER)
    servers.set_tenant_servers(tx, ACME.id, [HARBOUR.id, SECRET_SERVER.id])
    servers.set_tenant_servers(tx, GLOBEX.id, [HARBOUR.id])
    make = key_maker(tx, program)
    return {
        "alice": make(ALICE), "mallory": make(MALLORY, GLOBEX), "viewer": make(BOB),
        "narrow": make(ALICE, scopes=frozenset({Permission("documents:read")})),
        "for-a-server": make(ALICE, servers=frozenset({HARBOUR.id})),
    }  # fmt: skip


def key_maker(tx: Transaction, program: Program) -> Any:
    def make(owner: User, tenant: Tenant = ACME, **narrowed: Any) -> str:
        return create_api_key(
            tx, owner=owner, tenant=tenant, created_by=owner.id, name="test", rights=RIGHTS, now=NOW, entropy=os.urandom,
            fingerprinter=program.core.fingerprinter, expires_at=None, cause=None, **{"scopes": None, "resources": None, **narrowed},
        ).text  # fmt: skip

    return make


def _things(tx: Transaction, program: Program) -> dict[str, str]:
    """Return one of Acme's things for every variable of a path. A new variable needs one here."""
    clients.insert_client(tx, CLIENT, canonical_key="canonical", secret_fingerprint=None)
    ends = Instant(program.clock() + 86_400_000_000)
    connections.insert_connection(tx, replace(CONNECTION, scopes=RIGHTS, expires_at=ends, activated_at=program.clock()))
    approval = asked(
        tx, ALICE, ACME, HARBOUR, terms=approval_terms(program.core), now=program.clock(), arguments={"document_id": "d"},
        approvers=Approvers(permissions=frozenset({Permission("documents:read")})),
    )  # fmt: skip
    step = AttemptStep(
        at=program.clock(), step=Step.APPROVED, request_id="req_x", flow="f", tenant_id=ACME.id, user_id=ALICE.id,
        client_id=CLIENT.id,
    )  # fmt: skip
    attempts.insert_steps(tx, [step])
    tool = KnownTool(
        server_id=SECRET_SERVER.id, name="t", digest="d", first_seen=NOW, annotations={}, state=ToolState.ALLOWED
    )
    known_tools.add_known(tx, tool)
    invitation = Invitation(
        id="inv_acme", tenant_id=ACME.id, email="nina@new.test", roles=("viewer",), invited_by=ALICE.id,
        created_at=program.clock(), sent_at=program.clock(), expires_at=ends,
    )  # fmt: skip
    invitations.insert_invitation(tx, invitation)
    key, secret = key_maker(tx, program)(ALICE), Fingerprint("of a secret of the app")
    app = replace(
        CLIENT, id=ClientId("app_acme"), kind=ClientKind.REGISTERED, tenant_id=ACME.id,
        auth_method=ClientAuthMethod.SECRET_POST,
    )  # fmt: skip
    clients.insert_client(tx, app, canonical_key=None, secret_fingerprint=secret)
    override = Override(
        id="ovr_acme", tenant_id=ACME.id, server_id=HARBOUR.id, match="none_*", effect=Effect.DENY
    )  # fmt: skip
    overrides.add_override(tx, override, 0)
    mail_domains.insert_domain(
        tx, MailDomain(tenant_id=ACME.id, domain="acme-only.test", challenge="c" * 32, created_at=program.clock())
    )
    return {
        "domain": "acme-only.test",
        "override_id": override.id,
        "client_id": app.id, "secret_id": clients.secret_id(secret),
        "user": ALICE.id, "key_id": key.partition("_")[2][:13], "approval_id": str(ApprovalId(str(approval))),
        "connection_id": CONNECTION.id, "attempt_id": str(attempts.newest_steps(tx, 1)[0].id), "server": "secret",
        "invitation_id": invitation.id, "role": "acmes-own",
    }  # fmt: skip


def _state(reader: Reader) -> Any:
    left_out = {"audit_events", "api_answers", "sessions", "revisions", "credential_days", "attempt_steps", "meta"}
    found = {}
    for table in metadata.sorted_tables:
        if table.name not in left_out:
            rows = reader.all(Statement(f"SELECT * FROM {table.name}"))
            kept = [row for row in rows if getattr(row, "tenant_id", ACME.id) == ACME.id]
            found[table.name] = sorted(str(row) for row in kept)
    return found


def example(shape: Shape) -> Any:
    """Return a value of a shape."""
    make = MAKES[type(shape)]
    return make(shape)


def members_example(shape: Members) -> Any:
    wanted = [*shape.needs, *list(shape.one_of)[:1]] or list(shape.shapes)[: max(1, shape.least)]
    return {name: example(shape.shapes[name]) for name in wanted}


def text_example(shape: Text) -> str:
    tries = ("x", "nina@new.test", "https://a.example/cb", "x" * shape.least, "7d", "1")
    return next(text for text in tries if not read(shape, text))


MAKES: dict[type, Any] = {
    Members: members_example,
    Text: text_example,
    Each: lambda shape: [example(shape.item)] * max(1, shape.least),
    Choice: lambda shape: next(iter(shape.values)),
    Whole: lambda shape: shape.least,
    Flag: lambda _: False,
    Maybe: lambda _: None,
    MapOf: lambda _: {},
    Anything: lambda _: {},
    Said: lambda _: "x",
}
"""An example of each kind of shape."""


def at(route: ApiRoute, slug: str, things: Mapping[str, str]) -> str:
    """Return a route's path for a tenant and some things."""
    return VARIABLE.sub(lambda found: slug if found[1] == "slug" else things[found[1]], route.path)


def said(answer: Any, things: Mapping[str, str]) -> tuple[Any, ...]:
    """Return an answer as its reader sees it, but for what they sent themselves and what is random."""
    text = answer.text
    for value in things.values():
        text = text.replace(value, "…")
    kept = {name: value for name, value in answer.headers.items() if name not in {"x-request-id", "content-length"}}
    return answer.status_code, re.sub(r"req_[\w-]+", "req", text), sorted(kept.items())


def random_things() -> dict[str, str]:
    return {name: ("9" * 8 if name == "attempt_id" else f"never-{os.urandom(6).hex()}") for name in NAMES}


NAMES = {name for route in ROUTES for name in VARIABLE.findall(route.path)} - {"slug"}


def test_every_route_declares_who_may_and_is_there_once() -> None:
    for route in ROUTES:
        assert route.needs is ONESELF or route.needs in ADMINISTRATION, route.name
        assert route.says.endswith("."), route.name
    for several in ([(route.method, route.path) for route in ROUTES], [route.name for route in ROUTES]):
        assert len(set(several)) == len(several)


NEEDS_NO_PROOF = {
    "overrides.add": "takes away only",
    "servers.review": "speaks for a tenant about tools, whose rules hold as before",
    "approvals.deny": "takes away only",
    "clients.delete": "takes away only",
    "clients.retire-secret": "takes away only",
    "connections.change": "takes away only",
    "connections.end": "takes away only",
    "decisions.explain": "looks only",
    "invitations.revoke": "takes away only",
    "keys.revoke": "takes away only",
    "my-connections.change": "takes away, or names what only its person sees",
    "my-connections.end": "takes away only",
}
"""What a session may change without a recent proof of who it is, each with why (H23)."""


def test_H23_every_change_wants_a_recent_proof_or_says_why_not() -> None:
    assert {route.name for route in ROUTES if route.changes and not route.fresh} == NEEDS_NO_PROOF.keys()


def test_what_is_told_once_is_among_the_answers_and_may_be_null() -> None:
    for route in ROUTES:
        for name in route.secrets:
            assert isinstance(route.answer, Members), route.name
            assert isinstance(route.answer.shapes[name], Maybe), route.name


def test_every_status_is_described_and_every_list_pages() -> None:
    for route in ROUTES:
        assert {400, 401, 403, 422, 503} <= {status.value for status in statuses(route)}, route.name
        assert {"limit", "after"} <= route.asks.shapes.keys() or route.pages is None, route.name
    assert document(ROUTES, "https://x.example")["paths"].keys() == {route.path for route in ROUTES}


@every_route
async def test_nobody_without_a_good_credential_learns_anything(house: House, route: ApiRoute) -> None:
    path = at(route, "acme", house.things)
    for key in ("dw_x", "dws_x", ""):
        answer = await house.by_key(route, path, key)
        assert (answer.status_code, answer.json()["code"]) == (401, "DW-469"), key
        assert "bearer" in answer.headers["www-authenticate"].lower()
    bare = house.program.browser().client
    assert (await bare.request(route.method, path, headers={"accept": "*/*"})).status_code == 401


@every_route
async def test_M5_key_and_cookie_together_are_refused(house: House, route: ApiRoute) -> None:
    path = at(route, "acme", house.things)
    answer = await house.by_session(route, path, ALICE, headers={"authorization": f"Bearer {house.keys['alice']}"})
    assert (answer.status_code, answer.json()["code"]) == (400, "DW-460")


@pytest.mark.parametrize("route", [route for route in ROUTES if route.changes], ids=lambda route: route.name)
async def test_M5_no_change_by_session_without_our_own_page_and_its_token(house: House, route: ApiRoute) -> None:
    path, before = at(route, "acme", house.things), await house.state()
    for headers, code in (
        ({"sec-fetch-site": "cross-site"}, "DW-408"), ({"sec-fetch-site": "none"}, "DW-408"),
        ({"doorward-csrf": ""}, "DW-466"), ({"doorward-csrf": "0" * 64}, "DW-466"),
    ):  # fmt: skip
        answer = await house.by_session(route, path, ALICE, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, code), headers
    assert await house.state() == before


@every_route
async def test_who_lacks_the_permission_is_refused_by_key_and_by_session(house: House, route: ApiRoute) -> None:
    path, before = at(route, "acme", house.things), await house.state()
    answers = {key: await house.by_key(route, path, key) for key in ("viewer", "narrow", "for-a-server")}
    assert (answers["for-a-server"].status_code, answers["for-a-server"].json()["code"]) == (403, "DW-465")
    if route.needs is not ONESELF:
        answers["session"] = await house.by_session(route, path, BOB)
        assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(answers, 403)
    elif not route.keys:
        assert {answer.json()["code"] for answer in answers.values()} == {"DW-465"}
    assert await house.state() == before


@pytest.mark.parametrize("route", [r for r in ROUTES if "{slug}" in r.path], ids=lambda route: route.name)
async def test_D7_M2_another_tenant_is_not_told_from_none(house: House, route: ApiRoute) -> None:
    """Path wins: what a header or the query says of a tenant changes nothing (M2)."""
    before = await house.state()
    for ask in (house.by_key, house.by_session):
        foreign = await ask(route, at(route, "acme", house.things))
        none = await ask(route, at(route, "no-such-tenant", random_things()))
        assert said(foreign, {}) == said(none, {})
        assert foreign.status_code == 404
        assert (await ask(route, at(route, "acme", house.things), headers={"x-tenant": "globex"})).status_code == 404
    assert await house.state() == before


@pytest.mark.parametrize("route", WITH_ID, ids=lambda route: route.name)
async def test_M1_another_tenants_thing_is_answered_like_one_that_never_was(house: House, route: ApiRoute) -> None:
    before = await house.state()
    never = random_things()
    for ask in (house.by_session, house.by_key) if route.keys else (house.by_session,):
        # At the caller's own tenant, where they hold every right.
        foreign = await ask(route, at(route, "globex", house.things))
        none = await ask(route, at(route, "globex", never))
        assert said(foreign, house.things) == said(none, never), route.name
        assert foreign.status_code == 404, (route.name, foreign.text)
    assert await house.state() == before


async def test_every_kind_of_id_is_tried_with_one_that_is_there(house: House) -> None:
    assert house.things.keys() >= NAMES, "make one of Acme's in _things()"


@pytest.mark.parametrize("route", [r for r in WITH_ID if not r.changes], ids=lambda route: route.name)
async def test_what_was_tried_with_is_really_there(house: House, route: ApiRoute) -> None:
    answer = await house.by_session(route, at(route, "acme", house.things), ALICE)
    assert answer.status_code == 200, answer.text
    assert read(shown(route), answer.json()) == []


def shown(route: ApiRoute) -> Shape:
    if route.pages is None:
        return route.answer
    return Members({route.pages: Each(route.answer), "next": Maybe(Said())}, needs=(route.pages, "next"))


@pytest.mark.parametrize("route", TELLS_ITS_MEMBERS, ids=lambda route: route.name)
async def test_M4_no_body_takes_what_it_does_not_name(house: House, route: ApiRoute) -> None:
    path, before = at(route, "acme", house.things), await house.state()
    for name in ("id", "tenant_id", "role", "is_admin", "email_verified", "created_at", "key_hash"):
        if isinstance(route.body, Members) and name not in route.body.shapes:
            body = {**example(route.body), name: "x"}
            answer = await house.by_key(route, path, "alice", body=body) if route.keys else (
                await house.by_session(route, path, ALICE, body=body)
            )  # fmt: skip
            assert answer.status_code == 422, name
            assert {"pointer": f"/{name}", "detail": "is not known here"} in answer.json()["errors"]
    assert await house.state() == before


@pytest.mark.parametrize("route", [r for r in ROUTES if r.pages], ids=lambda route: route.name)
async def test_a_list_page_by_page_is_the_list(house: House, route: ApiRoute) -> None:
    path = at(route, "acme", house.things)
    whole = (await house.by_session(route, f"{path}?limit=200", ALICE)).json()
    assert read(shown(route), whole) == []
    rows, after = [], ""
    while True:
        page = (await house.by_session(route, f"{path}?limit=1{after}", ALICE)).json()
        rows += page[str(route.pages)]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert rows == whole[str(route.pages)]
