"""Applying a document: what changes, what stays, what is refused, and that nothing is half done."""

import asyncio
import copy
from typing import Any

import pytest
from tests.provisioning.deployment import NOW, Deployment, parsed_from

from doorward.model import Client, ClientAuthMethod, ClientId, ClientKind, Permission, RuleKind, Status
from doorward.policy.permission import BUILT_IN_ROLES
from doorward.protocol.token import DEVICE_CODE
from doorward.provisioning.apply import check_passwords, execute
from doorward.provisioning.reading import DocumentError
from doorward.storage import accounts, clients, events, permissions, servers
from support.assertions import EC

pytestmark = pytest.mark.anyio

READ, WRITE, DELETE = Permission("pages:read"), Permission("pages:write"), Permission("pages:delete")
TEAM: dict[str, Any] = {
    "servers": [
        {
            "slug": "wiki",
            "name": "Wiki",
            "upstream": "http://127.0.0.1:9000/mcp",
            "tools": [
                {"match": "get_*", "requires": [READ], "resource": {"argument": "/id", "type": "page"}},
                {"match": "*", "requires": [WRITE]},
            ],
            "resources": [{"match": "wiki://pages/{page}", "requires": [READ]}],
        }
    ],
    "permissions": [{"permission": DELETE, "words": "Delete pages", "destructive": True}],
    "users": [
        {"email": "ines@acme.example", "name": "Ines", "password": "correct horse"},
        {"email": "omar@acme.example", "name": "Omar"},
    ],
    "tenants": [
        {
            "slug": "acme",
            "name": "Acme",
            "servers": ["wiki"],
            "roles": [{"name": "writer", "permissions": ["pages:*"]}],
            "members": [
                {"user": "ines@acme.example", "roles": ["owner"]},
                {"user": "omar@acme.example", "roles": ["viewer", "writer"]},
            ],
            "resources": [
                {"type": "page", "key": "p1", "name": "One", "parent": {"type": "space", "key": "s1"}},
                {"type": "space", "key": "s1", "name": "Space"},
            ],
            "clients": [
                {"name": "CLI", "redirect_uris": ["http://127.0.0.1/cb"]},
                {"id": "portal", "name": "Portal", "type": "confidential", "redirect_uris": ["https://p.example/cb"]},
            ],
        }
    ],
}


def members(*pairs: tuple[str, list[str]]) -> dict[str, Any]:
    return {"tenants": [{"slug": "acme", "members": [{"user": user, "roles": roles} for user, roles in pairs]}]}


async def refusal(deployment: Deployment, document: dict[str, Any]) -> str:
    """Both the dry run and the run refuse, in the same words, and nothing is changed."""
    before = await state(deployment)
    with pytest.raises(DocumentError) as planned:
        await deployment.plan(document)
    with pytest.raises(DocumentError) as done:
        await deployment.apply(document)
    assert str(planned.value) == str(done.value)
    assert await state(deployment) == before
    return str(done.value)


async def state(deployment: Deployment) -> Any:
    return await deployment.read(lambda reader: (
        permissions.catalogue(reader), servers.servers(reader), accounts.all_tenants(reader),
        [(permissions.roles_of_tenant(reader, tenant.id), accounts.members_of_tenant(reader, tenant.id),
          permissions.resources_of_tenant(reader, tenant.id), servers.servers_of_tenant(reader, tenant.id))
         for tenant in accounts.all_tenants(reader)],
        len(events.recent_events(reader, None, 1000)),
    ))  # fmt: skip


async def test_a_document_is_made_true(deployment: Deployment) -> None:
    await deployment.apply(TEAM)
    catalogue, (server,), (acme,), ((roles, people, resources, enabled),), _ = await state(deployment)
    assert {READ, WRITE, DELETE, "wiki:read", "wiki:write", "wiki:delete"} == {entry.permission for entry in catalogue}
    assert server.paths == ("/mcp", "/{tenant}/mcp")
    assert [(rule.kind, rule.match) for rule in server.rules] == [
        (RuleKind.TOOL, "get_*"), (RuleKind.TOOL, "*"), (RuleKind.RESOURCE, "wiki://pages/{page}"),
    ]  # fmt: skip
    assert (acme.slug, acme.name, acme.status) == ("acme", "Acme", Status.ACTIVE)
    assert {role.name for role in roles} == {*BUILT_IN_ROLES, "writer"}
    assert {role.name for role in roles if role.built_in} == set(BUILT_IN_ROLES)
    assert {user.email: set(membership.roles) for user, membership in people} == {
        "ines@acme.example": {"owner"}, "omar@acme.example": {"viewer", "writer"},
    }  # fmt: skip
    space = next(node for node in resources if node.type == "space")
    assert {(node.key, node.parent_id) for node in resources} == {("p1", space.id), ("s1", None)}
    assert enabled == {server.id}


async def test_a_repetition_changes_nothing_at_all(deployment: Deployment) -> None:
    assert len((await deployment.apply(TEAM)).lines) > 5
    before = await state(deployment)
    revisions = await deployment.database.revisions(before[2][0].id)
    assert await deployment.plan(TEAM) == []
    again = await deployment.apply(TEAM)
    assert (again.lines, again.issued) == ([], [])
    assert await state(deployment) == before
    assert await deployment.database.revisions(before[2][0].id) == revisions


async def test_a_plan_changes_nothing_and_says_what_the_run_does(deployment: Deployment) -> None:
    planned = await deployment.plan(TEAM)
    assert (await state(deployment))[:3] == ([], [], [])
    assert (await deployment.apply(TEAM)).lines == planned
    assert "tenant acme: member omar@acme.example: viewer, writer" in planned


async def test_what_a_document_does_not_name_stays(deployment: Deployment) -> None:
    await deployment.apply(TEAM)
    before = await state(deployment)
    await deployment.apply(
        {"servers": [{"slug": "wiki"}], "users": [{"email": "ines@acme.example"}], "tenants": [TENANT]}
    )
    assert await state(deployment) == before
    assert await deployment.plan({}) == []


TENANT = {"slug": "acme", "members": [], "roles": [], "resources": [], "clients": []}


async def test_empty_roles_take_a_members_rights_away(deployment: Deployment) -> None:
    await deployment.apply(TEAM)
    assert WRITE in await deployment.rights("omar@acme.example", "acme")
    done = await deployment.apply(members(("omar@acme.example", [])))
    assert done.lines == ["tenant acme: member omar@acme.example: no role"]
    assert await deployment.rights("omar@acme.example", "acme") == frozenset()
    assert WRITE in await deployment.rights("ines@acme.example", "acme")


def placed_at(*places: tuple[str, str, str]) -> dict[str, Any]:
    at = [{"role": role, "type": kind, "key": key} for role, kind, key in places]
    return {"tenants": [{"slug": "acme", "members": [{"user": "omar@acme.example", "roles": ["viewer"], "at": at}]}]}


async def test_roles_at_resources_are_bound_and_taken_away(deployment: Deployment) -> None:
    team = {
        **TEAM,
        "tenants": [{**TEAM["tenants"][0], "members": placed_at(("writer", "page", "p1"))["tenants"][0]["members"]}],
    }
    done = await deployment.apply(team)
    assert "tenant acme: member omar@acme.example: writer at page p1" in done.lines
    assert await deployment.plan(placed_at(("writer", "page", "p1"))) == []
    assert await deployment.plan(members(("omar@acme.example", ["viewer"]))) == []
    done = await deployment.apply(placed_at())
    assert done.lines == ["tenant acme: member omar@acme.example: no role at a resource"]
    assert await deployment.plan(placed_at()) == []


async def test_a_tenant_keeps_an_owner(deployment: Deployment) -> None:
    await deployment.apply(TEAM)
    assert "no owner left" in await refusal(deployment, members(("ines@acme.example", [])))
    await deployment.apply(members(("ines@acme.example", []), ("omar@acme.example", ["owner"])))
    assert await deployment.rights("ines@acme.example", "acme") == frozenset()


async def test_a_tenant_that_never_had_an_owner_may_be_made(deployment: Deployment) -> None:
    await deployment.apply({"users": TEAM["users"], **members(("omar@acme.example", ["viewer"]))})
    assert await deployment.plan(members(("omar@acme.example", []))) == [
        "tenant acme: member omar@acme.example: no role"
    ]


async def test_lists_of_rules_are_replaced_by_kind(deployment: Deployment) -> None:
    await deployment.apply(TEAM)
    await deployment.apply({"servers": [{"slug": "wiki", "tools": [{"match": "list", "requires": [READ]}]}]})
    _, (server,), *_ = await state(deployment)
    assert [rule.match for rule in server.rules] == ["list", "wiki://pages/{page}"]
    await deployment.apply({"servers": [{"slug": "wiki", "tools": [], "resources": [], "status": "disabled"}]})
    stored = await deployment.read(lambda reader: servers.server_by_slug(reader, "wiki"))
    assert stored is not None
    assert (stored.rules, stored.status) == ((), Status.DISABLED)


async def test_derived_permissions_are_asked_for_by_default_only_without_rules(deployment: Deployment) -> None:
    await deployment.apply({
        "servers": [
            {"slug": "ruled", "upstream": "http://a/mcp", "paths": ["/a"], "tools": [{"match": "*", "requires": [READ]}]},
            {"slug": "plain", "upstream": "http://b/mcp", "paths": ["/b"]},
        ],
        "permissions": [{"permission": "plain:write", "words": "Our words", "default": False}],
    })  # fmt: skip
    entries = {entry.permission: entry for entry in await deployment.read(permissions.catalogue)}
    assert not entries[Permission("ruled:read")].is_default
    assert entries[Permission("plain:read")].is_default
    assert entries[Permission("plain:delete")].destructive
    assert (entries[Permission("plain:write")].words, entries[Permission("plain:write")].is_default) == (
        "Our words",
        False,
    )
    assert entries[READ].words == "Read pages"


async def test_passwords_change_once_and_sign_sessions_out(deployment: Deployment) -> None:
    await deployment.apply(TEAM)

    async def stored() -> str | None:
        user = await deployment.read(lambda reader: accounts.user_by_email(reader, "ines@acme.example"))
        assert user is not None
        return await deployment.read(lambda reader: accounts.password_hash(reader, user.id))

    first = await stored()
    assert first is not None
    assert first.startswith("$argon2id$")
    new = {"users": [{"email": "ines@acme.example", "password": "battery staple"}]}
    assert await deployment.plan(new) == ["user ines@acme.example: new password"]
    await deployment.apply(new)
    assert await stored() != first
    assert await deployment.plan(new) == []
    omar = {"users": [{"email": "omar@acme.example", "password": "for the first time"}]}
    assert (await deployment.apply(omar)).lines == ["user omar@acme.example: new password"]


async def test_names_and_status_change(deployment: Deployment) -> None:
    await deployment.apply(TEAM)
    done = await deployment.apply({
        "users": [{"email": "OMAR@acme.example", "name": "Omar H.", "status": "disabled"}],
        "tenants": [{"slug": "acme", "name": "Acme Inc.", "servers": []}],
    })  # fmt: skip
    assert done.lines == [
        "user omar@acme.example: name “Omar” → “Omar H.”, status “active” → “disabled”",
        "tenant acme: name “Acme” → “Acme Inc.”",
        "tenant acme: enable servers: none",
    ]
    assert await deployment.rights("omar@acme.example", "acme") == frozenset()


async def test_a_confidential_clients_secret_is_told_once_and_stored_as_a_fingerprint(deployment: Deployment) -> None:
    (issued,) = (await deployment.apply(TEAM)).issued
    assert (issued.client_id, issued.name) == ("portal", "Portal")
    stored = await deployment.read(lambda reader: clients.client_secret_fingerprints(reader, ClientId("portal"), NOW))
    assert stored == [deployment.fingerprinter.of(issued.secret)]
    client = await deployment.read(lambda reader: clients.client_by_id(reader, ClientId("portal")))
    assert client is not None
    assert (client.kind, client.auth_method) == (ClientKind.REGISTERED, ClientAuthMethod.SECRET_BASIC)
    changed = copy.deepcopy(TEAM)
    changed["tenants"][0]["clients"][1] |= {"redirect_uris": ["https://p.example/new"], "scopes": [READ]}
    again = await deployment.apply(changed)
    assert (again.lines, again.issued) == (["client portal “Portal”: redirect URIs, scopes"], [])


async def test_each_change_is_one_audit_event_without_secrets(deployment: Deployment) -> None:
    done = await deployment.apply(TEAM)
    found = await deployment.read(lambda reader: events.recent_events(reader, None, 1000))
    told = [event.detail["change"] for event in found if "change" in event.detail]
    assert sorted(told) == sorted(line for line in done.lines if "resources:" not in line)
    assert [event.detail["put"] for event in found if event.name == "resources:changed"] == ["2"]
    assert "correct horse" not in repr(found)
    assert all(issued.secret not in repr(found) for issued in done.issued)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"servers": [{"slug": "new"}]}, "servers[0]: server 'new' is new and upstream is missing"),
        ({"servers": [{"slug": "new", "upstream": "http://x/mcp"}]}, "path '/mcp' is also one of server 'wiki'"),
        (
            {"servers": [
                {"slug": "one", "paths": ["/one"], "upstream": "http://x/mcp", "direct": "https://x.example/mcp"},
                {"slug": "two", "paths": ["/two"], "upstream": "http://x/mcp", "direct": "https://x.example/mcp"},
            ]},
            "direct is also the URL of server 'two'",
        ),
        *(
            ({"servers": [{"slug": "wiki", "direct": url}]}, "not a server's own URL")
            for url in ("http://x.example/mcp", "https://X.example/mcp", "https://x.example/mcp/", "https://u@x/mcp", "/mcp")
        ),
        ({"servers": [{"slug": "new", "upstream": "http://x/mcp", "paths": ["/acme/mcp"]}]}, "path '/acme/mcp' is also one"),
        ({"tenants": [{"slug": "acme", "servers": ["wikki"]}]}, "tenants[0].servers: there is no server 'wikki'"),
        (members(("nobody@acme.example", ["viewer"])), "members[0]: there is no user 'nobody@acme.example'"),
        (members(("omar@acme.example", ["boss"])), "members[0]: there is no role 'boss'. Known here: admin, editor, owner"),
        (placed_at(("boss", "page", "p1")), "members[0].at[0]: there is no role 'boss'"),
        (placed_at(("writer", "page", "p9")), "members[0].at[0]: there is no resource page p9"),
        ({"tenants": [{"slug": "acme", "roles": [{"name": "r", "permissions": ["pages:burn"]}]}]}, "'pages:burn' is neither"),
        ({"tenants": [{"slug": "acme", "roles": [{"name": "viewer", "permissions": ["*:*"]}]}]}, "role 'viewer' is built in"),
        (
            {"tenants": [{"slug": "acme", "resources": [{"type": "page", "key": "x", "parent": {"type": "page", "key": "y"}}]}]},
            "page x: the parent page y does not exist",
        ),
        (
            {"tenants": [{"slug": "acme", "resources": [{"type": "space", "key": "s1", "parent": {"type": "page", "key": "p1"}}]}]},
            "its own ancestor",
        ),
        (
            {"tenants": [{"slug": "acme", "clients": [{"id": "portal", "name": "P", "redirect_uris": ["https://p.example/cb"]}]}]},
            "cannot turn from public to confidential",
        ),
        (
            {"tenants": [{"slug": "acme", "clients": [{"name": "X", "scopes": ["a:b"], "redirect_uris": ["https://p.example/cb"]}]}]},
            "permission 'a:b' is neither declared",
        ),
    ],
)  # fmt: skip
async def test_what_does_not_fit_is_refused_and_nothing_is_changed(
    deployment: Deployment, document: dict[str, Any], words: str
) -> None:
    await deployment.apply(TEAM)
    # Something good beside the fault: all or nothing.
    document = {"users": [{"email": "new@acme.example"}], **document}
    assert words in await refusal(deployment, document)
    assert await deployment.read(lambda reader: accounts.user_by_email(reader, "new@acme.example")) is None


async def test_a_password_changed_meanwhile_is_not_overwritten(deployment: Deployment) -> None:
    await deployment.apply(TEAM)
    document = {"users": [{"email": "ines@acme.example", "password": "battery staple"}]}
    parsed = parsed_from(document)
    late = await check_passwords(deployment.database, parsed, deployment.passwords)
    await deployment.apply({"users": [{"email": "ines@acme.example", "password": "somebody else's"}]})
    with pytest.raises(DocumentError, match="changed meanwhile"):
        await deployment.database.write(
            lambda tx: execute(
                tx, parsed, late, now=NOW, entropy=deployment.entropy, fingerprinter=deployment.fingerprinter
            )
        )
    assert await deployment.plan(document) == ["user ines@acme.example: new password"]


async def test_a_client_that_registered_itself_is_not_taken_over(deployment: Deployment) -> None:
    await deployment.apply(TEAM)
    own = Client(
        id=ClientId("dynamic-1"), kind=ClientKind.DYNAMIC, name="Itself", redirect_uris=("https://it.example/cb",),
        grant_types=frozenset({"authorization_code"}), created_at=NOW,
    )  # fmt: skip
    await deployment.database.write(
        lambda tx: clients.insert_client(tx, own, canonical_key="key", secret_fingerprint=None)
    )
    entry = {"id": "dynamic-1", "name": "Mine", "redirect_uris": ["https://mine.example/cb"]}
    words = await refusal(deployment, {"tenants": [{"slug": "acme", "clients": [entry]}]})
    assert "client 'dynamic-1' registered itself" in words


async def test_a_service_account_gets_no_password_later_either(deployment: Deployment) -> None:
    await deployment.apply({"users": [{"email": "robot@acme.example", "kind": "service"}]})
    words = await refusal(deployment, {"users": [{"email": "robot@acme.example", "password": "correct horse"}]})
    assert "a service account never signs in" in words


async def test_a_node_moves_with_what_is_below_it(deployment: Deployment) -> None:
    await deployment.apply(TEAM)
    nodes = [{"type": "space", "key": "s2"}, {"type": "page", "key": "p1", "parent": {"type": "space", "key": "s2"}}]
    done = await deployment.apply({"tenants": [{"slug": "acme", "resources": nodes}]})
    assert done.lines == ["tenant acme: put 2 resources: space s2, page p1"]


async def test_paths_move_between_servers(deployment: Deployment) -> None:
    def one(slug: str, path: str, status: str = "active") -> dict[str, Any]:
        return {"slug": slug, "upstream": f"http://{slug}/mcp", "paths": [path], "status": status}

    async def paths() -> dict[str, tuple[str, ...]]:
        return {server.slug: server.paths for server in await deployment.read(servers.all_servers)}

    await deployment.apply({"servers": [one("a", "/x"), one("b", "/y")]})
    await deployment.apply({"servers": [one("a", "/y"), one("b", "/x")]})
    assert await paths() == {"a": ("/y",), "b": ("/x",)}
    disabled = {"servers": [{"slug": "a", "status": "disabled"}, one("c", "/y")]}
    await deployment.apply(disabled)
    assert await paths() == {"a": (), "b": ("/x",), "c": ("/y",)}
    assert await deployment.plan(disabled) == []
    await deployment.apply({"servers": [{"slug": "b", "status": "disabled"}]})
    assert (await paths())["b"] == ("/x",)
    done = await deployment.apply({"servers": [one("d", "/x")]})
    assert done.lines[-2:] == ["server d: add, upstream http://d/mcp", "server b: paths"]
    assert await deployment.plan({"servers": [one("d", "/x"), one("b", "/x", "disabled")]}) == []


async def test_postgresql_is_made_true_alike(deployment: Deployment, on_postgresql: Deployment) -> None:
    moved = {
        "servers": [{"slug": "wiki", "paths": ["/w"]}, {"slug": "new", "upstream": "http://n/mcp", "paths": ["/mcp"]}]
    }
    for document in (TEAM, TEAM, moved, members(("omar@acme.example", []))):
        there, here = await on_postgresql.apply(document), await deployment.apply(document)
        assert there.lines == here.lines
        assert await on_postgresql.plan(document) == []
    assert await on_postgresql.rights("omar@acme.example", "acme") == frozenset()
    assert "no owner left" in await refusal(on_postgresql, members(("ines@acme.example", [])))


async def test_two_documents_at_once_leave_an_owner(on_postgresql: Deployment) -> None:
    """The rule spans rows: each of two concurrent removals alone would leave the other owner (M3)."""
    owners = members(("ines@acme.example", ["owner"]), ("omar@acme.example", ["owner"]))
    await on_postgresql.apply(TEAM | owners)
    for _ in range(5):
        await on_postgresql.apply(owners)
        removals = [members((email, [])) for email in ("ines@acme.example", "omar@acme.example")]
        results = await asyncio.gather(*map(on_postgresql.apply, removals), return_exceptions=True)
        assert [type(result) for result in results if isinstance(result, Exception)] == [DocumentError]


EC_KEYS = {"keys": [EC.public("k1")]}


def machines(*entries: dict[str, Any], **user: str) -> dict[str, Any]:
    """Return a document with a service account in acme and clients for it."""
    return {
        "users": [{"email": "job@acme.example", "kind": "service", **user}],
        "tenants": [
            {
                "slug": "acme",
                "members": [{"user": "job@acme.example", "roles": ["viewer"]}],
                "clients": [{"name": "Job", "type": "confidential", **entry} for entry in entries],
            }
        ],
    }


JOB = {"id": "job", "service_account": "job@acme.example"}


async def client_of(deployment: Deployment, client_id: str) -> Client:
    found = await deployment.read(lambda reader: clients.client_by_id(reader, ClientId(client_id)))
    assert found is not None
    return found


@pytest.mark.requirement("B15")
async def test_a_machines_client_is_declared_with_its_account_in_one_document(deployment: Deployment) -> None:
    document = copy.deepcopy(TEAM)
    more = machines(
        JOB, {"id": "keyed", "name": "Keyed", "service_account": "Job@acme.example", "jwks": EC_KEYS},
        {"id": "wiki", "name": "Wiki", "introspects": ["wiki"]},
    )  # fmt: skip
    document["users"] += more["users"]
    document["tenants"][0]["members"] += more["tenants"][0]["members"]
    document["tenants"][0]["clients"] += more["tenants"][0]["clients"]
    done = await deployment.apply(document)
    assert [issued.client_id for issued in done.issued] == ["portal", "job", "wiki"]
    assert await deployment.plan(document) == []
    tenant = await deployment.read(lambda reader: accounts.tenant_by_slug(reader, "acme"))
    user = await deployment.read(lambda reader: accounts.user_by_email(reader, "job@acme.example"))
    server = await deployment.read(lambda reader: servers.server_by_slug(reader, "wiki"))
    assert tenant is not None
    assert user is not None
    assert server is not None
    job, keyed, wiki = [await client_of(deployment, name) for name in ("job", "keyed", "wiki")]
    assert (job.service_account, job.service_tenant, job.grant_types) == (user.id, tenant.id, {"client_credentials"})
    assert (job.auth_method, job.redirect_uris) == (ClientAuthMethod.SECRET_BASIC, ())
    assert (keyed.auth_method, keyed.jwks) == (ClientAuthMethod.PRIVATE_KEY_JWT, (EC.public("k1"),))
    assert (wiki.introspects, wiki.grant_types, wiki.service_account) == ({server.id}, frozenset(), None)


@pytest.mark.requirement("B16")
async def test_a_client_may_be_one_for_devices(deployment: Deployment) -> None:
    await deployment.apply(TEAM)
    television = {"id": "tv", "name": "Television", "type": "public", "device": True}

    def document(**entry: Any) -> dict[str, Any]:
        return {"tenants": [{"slug": "acme", "clients": [television | entry]}]}

    await deployment.apply(document())
    stored = await client_of(deployment, "tv")
    assert (stored.redirect_uris, stored.grant_types) == ((), {DEVICE_CODE, "refresh_token"})
    assert await deployment.plan(document()) == []
    with_browser = document(redirect_uris=["http://127.0.0.1/cb"])
    assert (await deployment.apply(with_browser)).lines == ["client tv “Television”: redirect URIs"]
    unsaid = document(redirect_uris=["http://127.0.0.1/cb"])
    del unsaid["tenants"][0]["clients"][0]["device"]
    assert await deployment.plan(unsaid) == []
    assert (await deployment.apply(unsaid | document(redirect_uris=["http://127.0.0.1/cb"], device=False))).lines == [
        "client tv “Television”: device sign-in"
    ]
    assert (await client_of(deployment, "tv")).grant_types == {"authorization_code", "refresh_token"}


@pytest.mark.requirement("B14")
async def test_a_lifetime_that_was_said_is_taken_back_by_null(deployment: Deployment) -> None:
    def document(**lifetime: Any) -> dict[str, Any]:
        client = {"id": "portal", "name": "Portal", "redirect_uris": ["http://127.0.0.1/cb"], **lifetime}
        return {"tenants": [{"slug": "acme", "clients": [client], **lifetime}]}

    async def stored() -> list[int | None]:
        tenants = await deployment.read(accounts.all_tenants)
        return [tenants[0].access_ttl, (await client_of(deployment, "portal")).access_ttl]

    await deployment.apply(document(access_ttl=None))
    assert await stored() == [None, None], "what never was said can be taken back as well"
    await deployment.apply(document(access_ttl=600))
    assert await deployment.plan(document()) == []
    assert await stored() == [600, 600]
    assert (await deployment.apply(document(access_ttl=None))).lines == [
        "tenant acme: access token lifetime", "client portal “Portal”: access token lifetime",
    ]  # fmt: skip
    assert await stored() == [None, None]
    assert await deployment.plan(document(access_ttl=None)) == []
    assert "or null" in await refusal(deployment, document(access_ttl=0))


async def test_what_a_client_is_for_changes_and_what_is_not_said_stays(deployment: Deployment) -> None:
    await deployment.apply(TEAM)
    await deployment.apply(machines(JOB))
    both = machines(JOB | {"redirect_uris": ["https://job.example/cb"], "introspects": ["wiki"]})
    assert (await deployment.apply(both)).lines == ["client job “Job”: redirect URIs, introspection"]
    client = await client_of(deployment, "job")
    assert client.grant_types == {"authorization_code", "refresh_token", "client_credentials"}
    assert await deployment.plan(machines(JOB)) == []
    keys = machines(JOB | {"jwks": EC_KEYS})
    assert (await deployment.apply(keys)).lines == [
        "client job “Job”: authentication “client_secret_basic” → “private_key_jwt”, keys"
    ]
    assert await deployment.plan(machines(JOB | {"auth_method": "private_key_jwt"})) == []
    assert (await deployment.apply(machines(JOB | {"auth_method": "private_key_jwt", "introspects": []}))).lines == [
        "client job “Job”: introspection"
    ]
    assert (await client_of(deployment, "job")).introspects == frozenset()


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"service_account": "ines@acme.example"}, "no service account"),
        ({"service_account": "nobody@acme.example"}, "no service account"),
        ({"service_account": "x"}, "no e-mail address"),
        ({"service_account": "job@acme.example", "type": "public"}, "type: confidential"),
        ({"introspects": ["wiki"], "type": "public"}, "type: confidential"),
        ({"introspects": ["nothing"]}, "no server 'nothing'"),
        ({}, "redirect_uris is missing"),
        ({"redirect_uris": []}, "no redirect URI"),
        (JOB | {"auth_method": "private_key_jwt"}, "without keys"),
        (JOB | {"auth_method": "client_secret_post", "jwks": EC_KEYS}, "uses no keys"),
        (JOB | {"jwks": "https://keys.example"}, "not a JWK Set"),
        (JOB | {"jwks": {"keys": [EC.key.as_dict(private=True)]}}, "private key material"),
        (JOB | {"jwks": {"keys": [EC.public() | {"x": "A" * 43}]}}, "a key that is none"),
    ],
    ids=lambda value: str(value)[:70],
)
async def test_a_machines_client_that_cannot_be_is_refused(
    deployment: Deployment, entry: dict[str, Any], words: str
) -> None:
    await deployment.apply(TEAM)
    with pytest.raises(DocumentError, match=words):
        await deployment.apply(machines(entry))


async def test_B11_an_account_in_two_tenants_is_no_machines_account(deployment: Deployment) -> None:
    await deployment.apply(TEAM)
    two = machines(JOB)
    two["tenants"].append({"slug": "globex", "members": [{"user": "job@acme.example", "roles": ["viewer"]}]})
    with pytest.raises(DocumentError, match="belongs to acme, globex"):
        await deployment.apply(two)
    none = machines(JOB)
    none["tenants"][0]["members"] = []
    with pytest.raises(DocumentError, match="belongs to no tenant"):
        await deployment.apply(none)


async def test_M3_a_document_that_disables_somebody_ends_what_they_hold_and_keeps_an_owner(
    deployment: Deployment,
) -> None:
    await deployment.apply(TEAM)
    last = {"users": [{"email": "ines@acme.example", "status": "disabled"}]}
    assert "one owner of a tenant" in await refusal(deployment, last)
    omar = {"users": [{"email": "omar@acme.example", "status": "disabled"}]}
    await deployment.apply(omar)
    assert await deployment.plan(omar) == []
    names = [event.name for event in await deployment.read(lambda reader: events.recent_events(reader, None, 2))]
    assert names == ["user:changed", "user:deactivated"]
    await deployment.apply({"users": [{"email": "omar@acme.example", "status": "active"}]})
    assert await deployment.rights("omar@acme.example", "acme")
