"""A small deployment to store: one tenant, one owner, one server, one client, one connection."""

from dataclasses import replace

from doorward.model import (
    ApiKey,
    ApiKeyId,
    AuthorizationCode,
    Client,
    ClientId,
    ClientKind,
    Connection,
    ConnectionId,
    DeviceRequest,
    Fingerprint,
    Instant,
    Permission,
    PermissionEntry,
    RefreshToken,
    RequestId,
    ResourceArgument,
    ResourceId,
    Role,
    RoleId,
    RuleKind,
    Server,
    ServerId,
    Session,
    SessionId,
    Tenant,
    TenantId,
    ToolRule,
    User,
    UserId,
)
from doorward.storage import accounts, clients, connections, permissions, servers
from doorward.storage.database import Transaction
from doorward.storage.statements import Statement

NOW = Instant(1_700_000_000_000_000)
LATER = Instant(NOW + 3600_000_000)

ACME = Tenant(id=TenantId("t-acme"), slug="acme", name="Acme", created_at=NOW)
GLOBEX = Tenant(id=TenantId("t-globex"), slug="globex", name="Globex", created_at=NOW)
ALICE = User(id=UserId("u-alice"), email="alice@acme.test", name="Alice", created_at=NOW)
BOB = User(id=UserId("u-bob"), email="bob@acme.test", name="Bob", created_at=NOW)
OWNER = Role(id=RoleId("r-owner"), tenant_id=ACME.id, name="owner", permissions=("*:*",), built_in=True)
VIEWER = Role(id=RoleId("r-viewer"), tenant_id=ACME.id, name="viewer", permissions=("*:read",))
READ = Permission("documents:read")
WRITE = Permission("documents:write")
CATALOGUE = (
    PermissionEntry(permission=READ, words="Read documents"),
    PermissionEntry(permission=WRITE, words="Change documents", is_default=False, destructive=True),
)
HARBOUR = Server(
    id=ServerId("s-harbour"),
    slug="harbour",
    name="Harbour",
    paths=("/mcp", "/{tenant}/mcp"),
    upstream="http://127.0.0.1:9/mcp",
    rules=(
        ToolRule(
            match="read_*", requires=frozenset({READ}), resources=(ResourceArgument(pointer="/id", type="document"),)
        ),
        ToolRule(kind=RuleKind.PROMPT, match="*", requires=frozenset({READ, WRITE})),
        ToolRule(match="*", requires=frozenset()),
    ),
)
CLIENT = Client(
    id=ClientId("c-one"),
    kind=ClientKind.DYNAMIC,
    name="Client One",
    redirect_uris=("http://127.0.0.1/cb", "http://localhost/cb?a=b c"),
    grant_types=frozenset({"authorization_code", "refresh_token"}),
    scope_limit=frozenset({READ}),
    client_uri="https://client.test",
    metadata={"contacts": ["ä@b.test"], "nested": {"n": 1}},
    created_at=NOW,
)
CONNECTION = Connection(
    id=ConnectionId("n-one"),
    tenant_id=ACME.id,
    user_id=ALICE.id,
    client_id=CLIENT.id,
    server_id=HARBOUR.id,
    resource="http://127.0.0.1:8080/mcp",
    scopes=frozenset({READ}),
    declined=frozenset({WRITE}),
    resources=frozenset({ResourceId("d-1"), ResourceId("d-2")}),
    redirect_uri="http://127.0.0.1:5/cb",
    created_at=NOW,
    expires_at=LATER,
)
CODE = AuthorizationCode(
    fingerprint=Fingerprint("code-1"),
    connection_id=CONNECTION.id,
    tenant_id=ACME.id,
    client_id=CLIENT.id,
    redirect_uri="http://127.0.0.1:5/cb",
    redirect_uri_sent=True,
    code_challenge="x" * 43,
    resource=CONNECTION.resource,
    created_at=NOW,
    expires_at=LATER,
)
DEVICE = DeviceRequest(
    id=RequestId("req-1"), device_code=Fingerprint("device"), user_code=Fingerprint("user"), client_id=CLIENT.id,
    resource=CONNECTION.resource, scopes=("documents:read", "offline_access"), asked_from="192.0.2.7", created_at=NOW,
    expires_at=LATER,
)  # fmt: skip
REFRESH = RefreshToken(
    fingerprint=Fingerprint("refresh-0"),
    connection_id=CONNECTION.id,
    tenant_id=ACME.id,
    client_id=CLIENT.id,
    kid="k1",
    parent=None,
    created_at=NOW,
    expires_at=LATER,
)
KEY = ApiKey(
    id=ApiKeyId("k-one"),
    tenant_id=ACME.id,
    user_id=ALICE.id,
    created_by=BOB.id,
    name="ci",
    prefix="dw_k-one",
    last_four="wxyz",
    fingerprint=Fingerprint("key-1"),
    scopes=frozenset({READ, WRITE}),
    created_at=NOW,
)
SESSION = Session(
    id=SessionId("session-1"),
    fingerprint=Fingerprint("session-fp"),
    user_id=ALICE.id,
    created_at=NOW,
    expires_at=LATER,
    authenticated_at=NOW,
    means="password",
    agent="Firefox",
    address="192.0.2.7",
    last_used_at=NOW,
    idle_until=LATER,
)
_NO_MEMBER = Statement("DELETE FROM memberships WHERE tenant_id = :tenant_id AND user_id = :user_id")


def store_deployment(tx: Transaction) -> None:
    """Store everything up to the connection; codes, tokens and keys are the test's."""
    for tenant in (ACME, GLOBEX):
        accounts.insert_tenant(tx, tenant)
    accounts.insert_user(tx, ALICE, "hash-of-alice")
    accounts.insert_user(tx, BOB, None)
    permissions.put_catalogue(tx, CATALOGUE)
    for role in (OWNER, VIEWER):
        permissions.put_role(tx, role)
    permissions.set_membership(tx, ACME.id, ALICE.id, ("owner",))
    permissions.set_membership(tx, ACME.id, BOB.id, ("viewer",))
    servers.put_server(tx, HARBOUR)
    servers.set_tenant_servers(tx, ACME.id, [HARBOUR.id])
    clients.insert_client(tx, CLIENT, canonical_key="canonical", secret_fingerprint=None)
    connections.insert_connection(tx, CONNECTION)


def refresh_token(number: int, parent: int | None = None) -> RefreshToken:
    """Return the refresh token of that number."""
    above = None if parent is None else Fingerprint(f"refresh-{parent}")
    return replace(REFRESH, fingerprint=Fingerprint(f"refresh-{number}"), parent=above)


def without_membership(tx: Transaction, tenant_id: TenantId, user_id: UserId) -> bool:
    """Take a membership away, and nothing else: not by the use case, which ends all that is held and keeps an owner."""
    return tx.run(_NO_MEMBER, {"tenant_id": tenant_id, "user_id": user_id}) == 1
