"""The form for a registered client: what may be chosen, what was chosen, and what is wrong with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from doorward.authserver.client_makers import ClientMaker, ClientRefused
from doorward.authserver.client_wishes import ClientWish, written_pairs
from doorward.authserver.registered_list import ClientFacts
from doorward.credentials.key_wishes import nodes_of, rights_of
from doorward.dashboard.key_form import MOST_SHOWN, Node, grouped, in_order
from doorward.model import ClientAuthMethod, OwnerKind, PermissionEntry, Tenant, User
from doorward.policy.rules import ResourceTree
from doorward.storage import accounts, permissions
from doorward.storage.database import Reader
from doorward.web.forms import Form

ALL: Final = "all"
SOME: Final = "some"
KINDS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType({
    "none": ("Public", "Desktop and browser apps. PKCE, nothing to keep secret."),
    "client_secret_post": ("With a secret", "Servers that can keep one. It is sent in the body: recommended."),
    "client_secret_basic": ("With a secret, as a header", "The same, for libraries that send it by HTTP Basic."),
    "private_key_jwt": ("With keys", "It signs with a key of its own. Nothing secret is known here."),
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """What one may choose from in a tenant."""

    tenant: Tenant
    manages: bool
    entries: Sequence[PermissionEntry]
    nodes: Sequence[Node]
    accounts: Sequence[User]
    """Service accounts, for administrators."""

    @property
    def groups(self) -> list[tuple[str, list[PermissionEntry]]]:
        """The entries by the resource that they are about."""
        return grouped(self.entries)

    @property
    def many(self) -> bool:
        """Whether there are too many nodes to show."""
        return len(self.nodes) > MOST_SHOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientForm:
    """What stands in the form. ``errors`` are by field; '' is the form as a whole."""

    name: str = ""
    own: bool = False
    method: str = ClientAuthMethod.NONE.value
    uris: str = ""
    jwks: str = ""
    account: str = ""
    limit: str = ALL
    scopes: frozenset[str] = frozenset()
    places: frozenset[str] = frozenset()
    errors: Mapping[str, str] = field(default_factory=dict)

    @property
    def written(self) -> str:
        """The places, one a line."""
        return "\n".join(sorted(self.places))


def offered(reader: Reader, tenant: Tenant, maker: ClientMaker, user: User) -> Offered:
    """Return what ``user`` may choose from."""
    rights = rights_of(reader, tenant, user)
    catalogue = permissions.catalogue(reader)
    members = accounts.members_of_tenant(reader, tenant.id) if maker.manages else []
    tree = ResourceTree(permissions.resources_of_tenant(reader, tenant.id)) if maker.manages else None
    return Offered(
        tenant=tenant,
        manages=maker.manages,
        entries=[each for each in catalogue if maker.manages or each.permission in rights],
        nodes=in_order(tree or nodes_of(reader, tenant, user)),
        accounts=[member for member, _ in members if member.kind is OwnerKind.SERVICE],
    )


def blank(choices: Offered) -> ClientForm:
    """Return the form as it is first shown."""
    usual = frozenset(each.permission for each in choices.entries if each.is_default and not each.destructive)
    return ClientForm(own=not choices.manages, scopes=frozenset(map(str, usual)))


def of_client(found: ClientFacts, choices: Offered) -> ClientForm:
    """Return the form of a client that there is."""
    client, limit, usual = found.row.client, found.row.client.scope_limit, blank(choices)
    return replace(
        usual,
        name=client.name,
        own=client.owner_id is not None,
        method=client.auth_method.value,
        uris="\n".join(client.redirect_uris),
        account="" if found.row.account is None else found.row.account.email,
        limit=ALL if limit is None else SOME,
        scopes=usual.scopes if limit is None else frozenset(map(str, limit)),
        places=frozenset(f"{each.type}/{each.key}" for each in found.nodes or ()),
    )


def read(sent: Form) -> ClientForm:
    """Return what was sent, as it was typed."""
    written = sent.one("places").splitlines()
    return ClientForm(
        name=sent.one("name")[:200],
        own=sent.one("whose") == "own",
        method=sent.one("method")[:40],
        uris=sent.one("uris")[:40_000],
        jwks=sent.one("jwks")[:20_000],
        account=sent.one("account")[:254],
        limit=SOME if sent.one("limit") == SOME else ALL,
        scopes=frozenset(sent.many("scope")),
        places=frozenset(text.strip() for text in [*sent.many("place"), *written] if text.strip()),
    )


def wish_of(form: ClientForm) -> ClientWish:
    """Return the client that the form asks for."""
    return ClientWish(
        name=form.name,
        method=form.method,
        redirect_uris=tuple(line.strip() for line in form.uris.splitlines() if line.strip()),
        scopes=tuple(sorted(form.scopes)) if form.limit == SOME else None,
        resources=written_pairs(form.places),
        service_account=form.account or None,
        jwks=form.jwks or None,
        own=form.own,
    )


def refused(form: ClientForm, why: ClientRefused) -> ClientForm:
    """Return the form with what the use case said, at its field."""
    return replace(form, errors={why.field: why.public})
