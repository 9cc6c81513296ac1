"""The deployment that the catalogue of attacks is written against (its section 0): tenants, people, servers, clients."""

from collections.abc import Callable

from doorward.credentials.secret import Fingerprinter, SecretKind, mint
from doorward.model import (
    Client,
    ClientAuthMethod,
    ClientId,
    ClientKind,
    Entropy,
    Instant,
    OwnerKind,
    Permission,
    PermissionEntry,
    Role,
    RoleId,
    Server,
    ServerId,
    Status,
    Tenant,
    TenantId,
    User,
    UserId,
)
from doorward.policy.permission import BUILT_IN_ROLES
from doorward.storage import accounts, clients, permissions, servers
from doorward.storage.database import Transaction
from support.assertions import EC, RSA

START = Instant(1_790_000_000_000_000)
PUBLIC_URL = "http://127.0.0.1:8080"
MCP = f"{PUBLIC_URL}/mcp"
ACME_MCP = f"{PUBLIC_URL}/acme/mcp"
GLOBEX_ONLY = f"{PUBLIC_URL}/vault"
CIMD_URL = "https://cimd.example/c.json"
DOCUMENT = {"client_id": CIMD_URL, "client_name": "Documented", "redirect_uris": ["http://127.0.0.1/cb"]}

PEOPLE = {
    "alice": {"acme": "owner"},
    "bob": {"acme": "editor"},
    "carol": {"acme": "viewer"},
    "mallory": {"globex": "owner"},
    "dave": {"acme": "viewer", "globex": "editor"},
    "nobody": {},
}
ROBOTS = {"robot": {"acme": "editor"}, "rover": {"globex": "editor"}}
"""Service accounts."""
CATALOGUE = [
    PermissionEntry(permission=Permission("documents:read"), words="Read documents"),
    PermissionEntry(permission=Permission("documents:write"), words="Change documents"),
    PermissionEntry(permission=Permission("documents:delete"), words="Delete documents", destructive=True),
    PermissionEntry(permission=Permission("projects:read"), words="List projects", is_default=False),
]
BOTH_GRANTS = frozenset({"authorization_code", "refresh_token"})


def user(name: str) -> User:
    kind = OwnerKind.SERVICE if name in ROBOTS else OwnerKind.PERSON
    return User(id=UserId(f"usr_{name}"), email=f"{name}@example.test", name=name.title(), kind=kind, created_at=START)


def tenant(slug: str) -> Tenant:
    return Tenant(id=TenantId(f"ten_{slug}"), slug=slug, name=slug.title(), created_at=START)


def server(slug: str, *paths: str, status: Status = Status.ACTIVE) -> Server:
    return Server(
        id=ServerId(f"srv_{slug}"), slug=slug, name=slug.title(), paths=paths, upstream="http://127.0.0.1:9/mcp", status=status
    )  # fmt: skip


HARBOUR = server("harbour", "/mcp", "/{tenant}/mcp")
VAULT = server("vault", "/vault")
C1 = Client(
    id=ClientId("c1"), kind=ClientKind.DYNAMIC, name="Claude Code", redirect_uris=("http://127.0.0.1/cb",),
    grant_types=BOTH_GRANTS, created_at=START,
)  # fmt: skip
C2 = Client(
    id=ClientId("c2"), kind=ClientKind.REGISTERED, name="Web App", redirect_uris=("https://app.example/cb",),
    grant_types=BOTH_GRANTS, auth_method=ClientAuthMethod.SECRET_BASIC, created_at=START,
)  # fmt: skip
C3 = Client(
    id=ClientId("c3"), kind=ClientKind.DYNAMIC, name="Evil", redirect_uris=("https://evil.example/cb",),
    grant_types=BOTH_GRANTS, created_at=START,
)  # fmt: skip
DISABLED = Client(
    id=ClientId("gone"), kind=ClientKind.DYNAMIC, name="Disabled App", redirect_uris=("https://gone.example/cb",),
    grant_types=BOTH_GRANTS, status=Status.DISABLED, created_at=START,
)  # fmt: skip
TWO_WAYS = Client(
    id=ClientId("two"), kind=ClientKind.DYNAMIC, name="Two Ways", redirect_uris=("https://a.example/cb", "https://b.example/cb"),
    grant_types=frozenset({"authorization_code"}), created_at=START,
)  # fmt: skip
POSTING = Client(
    id=ClientId("posting"), kind=ClientKind.REGISTERED, name="Posting", redirect_uris=("https://app.example/cb",),
    grant_types=BOTH_GRANTS, auth_method=ClientAuthMethod.SECRET_POST,
    scope_limit=frozenset({Permission("documents:read")}), created_at=START,
)  # fmt: skip

ACTS_ALONE = frozenset({"client_credentials"})
MACHINE = Client(
    id=ClientId("machine"), kind=ClientKind.REGISTERED, name="Nightly job", redirect_uris=(), grant_types=ACTS_ALONE,
    auth_method=ClientAuthMethod.SECRET_BASIC, service_account=UserId("usr_robot"), service_tenant=TenantId("ten_acme"),
    created_at=START,
)  # fmt: skip
KEYED = Client(
    id=ClientId("keyed"), kind=ClientKind.REGISTERED, name="Keyed job", redirect_uris=(), grant_types=ACTS_ALONE,
    auth_method=ClientAuthMethod.PRIVATE_KEY_JWT, service_account=UserId("usr_robot"), service_tenant=TenantId("ten_acme"),
    jwks=(EC.public("ec"), RSA.public("rsa")), created_at=START,
)  # fmt: skip
ROVING = Client(
    id=ClientId("roving"), kind=ClientKind.REGISTERED, name="Globex job", redirect_uris=(), grant_types=ACTS_ALONE,
    auth_method=ClientAuthMethod.SECRET_POST, service_account=UserId("usr_rover"), service_tenant=TenantId("ten_globex"),
    scope_limit=frozenset({Permission("documents:read")}), created_at=START,
)  # fmt: skip
UPSTREAM = Client(
    id=ClientId("upstream"), kind=ClientKind.REGISTERED, name="Harbour itself", redirect_uris=(), grant_types=frozenset(),
    auth_method=ClientAuthMethod.SECRET_BASIC, introspects=frozenset({HARBOUR.id}), created_at=START,
)  # fmt: skip
OTHER_UPSTREAM = Client(
    id=ClientId("other-upstream"), kind=ClientKind.REGISTERED, name="Vault itself", redirect_uris=(),
    grant_types=frozenset(), auth_method=ClientAuthMethod.SECRET_BASIC, introspects=frozenset({VAULT.id}), created_at=START,
)  # fmt: skip
MACHINES = (MACHINE, KEYED, ROVING, UPSTREAM, OTHER_UPSTREAM)


def put_in_place(
    fingerprinter: Fingerprinter, entropy: Entropy
) -> tuple[Callable[[Transaction], None], dict[str, str]]:
    """Return what stores the deployment, and the secrets of its confidential clients by client id."""
    with_secret = (C2, POSTING, MACHINE, ROVING, UPSTREAM, OTHER_UPSTREAM)
    secrets = {client.id: mint(SecretKind.CLIENT_SECRET, entropy) for client in with_secret}

    def store(tx: Transaction) -> None:
        permissions.put_catalogue(tx, CATALOGUE)
        for slug in ("acme", "globex"):
            _tenant(tx, tenant(slug))
        for name, roles in (PEOPLE | ROBOTS).items():
            accounts.insert_user(tx, user(name), None)
            for slug, role in roles.items():
                permissions.set_membership(tx, tenant(slug).id, user(name).id, (role,))
        servers.put_server(tx, HARBOUR)
        servers.put_server(tx, VAULT)
        servers.set_tenant_servers(tx, tenant("acme").id, [HARBOUR.id])
        servers.set_tenant_servers(tx, tenant("globex").id, [HARBOUR.id, VAULT.id])
        for client in (C1, C2, C3, DISABLED, TWO_WAYS, POSTING, *MACHINES):
            secret = secrets.get(client.id)
            fingerprint = None if secret is None else fingerprinter.of(secret)
            clients.insert_client(tx, client, canonical_key=None, secret_fingerprint=fingerprint)

    return store, dict(secrets)


def _tenant(tx: Transaction, record: Tenant) -> None:
    accounts.insert_tenant(tx, record)
    for name, patterns in BUILT_IN_ROLES.items():
        role_id = RoleId(f"rol_{record.slug}_{name}")
        permissions.put_role(tx, Role(id=role_id, tenant_id=record.id, name=name, permissions=patterns, built_in=True))
