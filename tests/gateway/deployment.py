"""Who and what there is in the gateway's tests: the fixtures of the security catalogue."""

from doorward.model import (
    Client,
    ClientId,
    ClientKind,
    Instant,
    Permission,
    PermissionEntry,
    Resource,
    ResourceArgument,
    ResourceId,
    Role,
    RoleId,
    RuleKind,
    Server,
    ServerId,
    Tenant,
    TenantId,
    ToolRule,
    User,
    UserId,
)
from doorward.storage import accounts, clients, permissions, servers
from doorward.storage.database import Transaction

START = Instant(1_790_000_000_000_000)
READ, WRITE, ADMIN = Permission("documents:read"), Permission("documents:write"), Permission("admin:delete")
S1, S2 = ServerId("s1"), ServerId("s2")
FOLDER, OTHER_FOLDER, DOCUMENT = ResourceId("r-folder"), ResourceId("r-other"), ResourceId("r-doc")

ACME = Tenant(id=TenantId("t-acme"), slug="acme", name="Acme", created_at=START)
GLOBEX = Tenant(id=TenantId("t-globex"), slug="globex", name="Globex", created_at=START)
MEMBERS = {"alice": (ACME, "owner"), "bob": (ACME, "editor"), "carol": (ACME, "viewer"), "mallory": (GLOBEX, "owner")}
ROLES = {"owner": ("*:*",), "editor": ("documents:*", "s1:read"), "viewer": ("documents:read",), "nobody": ()}
CATALOGUE = (
    PermissionEntry(permission=READ, words="Read documents"),
    PermissionEntry(permission=WRITE, words="Change documents"),
    PermissionEntry(permission=ADMIN, words="Delete everything", is_default=False, destructive=True),
    PermissionEntry(permission=Permission("s1:read"), words="Look things up", is_default=False),
    PermissionEntry(permission=Permission("s1:write"), words="Change things", is_default=False),
)
EVERYTHING = frozenset(entry.permission for entry in CATALOGUE)
CLIENT = Client(
    id=ClientId("c1"),
    kind=ClientKind.DYNAMIC,
    name="Test client",
    redirect_uris=("http://127.0.0.1/cb",),
    grant_types=frozenset({"authorization_code", "refresh_token"}),
    created_at=START,
)
OTHER_CLIENT = Client(
    id=ClientId("c2"),
    kind=ClientKind.DYNAMIC,
    name="Other client",
    redirect_uris=("http://127.0.0.1/cb",),
    grant_types=frozenset({"authorization_code"}),
    created_at=START,
)
RULES = (
    ToolRule(match="echo", requires=frozenset({READ})),
    ToolRule(
        match="write_*", requires=frozenset({WRITE}), resources=(ResourceArgument(pointer="/folder", type="folder"),)
    ),
    ToolRule(match="drop_*", requires=frozenset({ADMIN})),
    ToolRule(match="forbidden", requires=frozenset()),
    ToolRule(kind=RuleKind.RESOURCE, match="mem://open", requires=frozenset({READ})),
    ToolRule(kind=RuleKind.RESOURCE, match="mem://secret", requires=frozenset({ADMIN})),
    ToolRule(
        kind=RuleKind.RESOURCE,
        match="mem://docs/{document}",
        requires=frozenset({READ}),
        resources=(ResourceArgument(pointer="/document", type="document"),),
    ),
    ToolRule(kind=RuleKind.RESOURCE, match="mem://vault/{item}", requires=frozenset({ADMIN})),
    ToolRule(kind=RuleKind.PROMPT, match="p_open", requires=frozenset({READ})),
    ToolRule(kind=RuleKind.PROMPT, match="p_secret", requires=frozenset({ADMIN})),
)


def user(name: str) -> User:
    return User(id=UserId(f"u-{name}"), email=f"{name}@test.example", name=name.title(), created_at=START)


def server(upstream: str, server_id: ServerId = S1) -> Server:
    paths = ("/mcp", "/{tenant}/mcp") if server_id == S1 else ("/other", "/{tenant}/other")
    return Server(id=server_id, slug=server_id, name="Memory", paths=paths, upstream=upstream, rules=RULES)


def put_in_place(tx: Transaction, upstream: str) -> None:
    """Store all of it."""
    permissions.put_catalogue(tx, CATALOGUE)
    for server_id in (S1, S2):
        servers.put_server(tx, server(upstream, server_id))
    for tenant in (ACME, GLOBEX):
        accounts.insert_tenant(tx, tenant)
        servers.set_tenant_servers(tx, tenant.id, [S1, S2])
        for name, granted in ROLES.items():
            role_id = RoleId(f"{tenant.slug}-{name}")
            permissions.put_role(tx, Role(id=role_id, tenant_id=tenant.id, name=name, permissions=granted))
    for name, (tenant, role) in MEMBERS.items():
        accounts.insert_user(tx, user(name), None)
        permissions.set_membership(tx, tenant.id, user(name).id, (role,))
    for client in (CLIENT, OTHER_CLIENT):
        clients.insert_client(tx, client, canonical_key=None, secret_fingerprint=None)
    permissions.put_resources(
        tx,
        ACME.id,
        [
            Resource(id=FOLDER, tenant_id=ACME.id, type="folder", key="f1", name="One"),
            Resource(id=OTHER_FOLDER, tenant_id=ACME.id, type="folder", key="f2", name="Two"),
            Resource(id=DOCUMENT, tenant_id=ACME.id, type="document", key="d1", name="Doc", parent_id=FOLDER),
        ],
    )
