"""The form for a new API key: what may be chosen, what was chosen, and what is wrong with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from doorward.credentials.api_keys import MAX_NAME_LENGTH, is_plain_name
from doorward.credentials.key_expiry import USUAL
from doorward.credentials.key_makers import KeyRefused, Maker, person
from doorward.credentials.key_wishes import SIMPLE, KeyWish, nodes_of
from doorward.model import KeyMakers, NeverEnding, Permission, PermissionEntry, Resource, Server, Tenant, User
from doorward.policy.permission import expand
from doorward.policy.rules import ResourceTree
from doorward.storage import accounts, permissions, servers
from doorward.storage.database import Reader
from doorward.web.forms import Form

EXPIRIES: Final[Mapping[str, tuple[str, int | None]]] = MappingProxyType({
    "7": ("7 days", 7),
    "30": ("30 days", 30),
    "90": ("90 days", 90),
    "365": ("1 year", 365),
    "date": ("A day", None),
    "never": ("Never", None),
})  # fmt: skip
"""Field value to words and days."""
DEFAULT_EXPIRY: Final = "90"
GRANULAR: Final = "granular"
MOST_SHOWN: Final = 300
"""Nodes of a tree that are shown as boxes; of a larger one they are written."""
FIELDS: Final[Mapping[str, str]] = MappingProxyType({"scopes": "scope", "expires": "expiry"})
"""What the use case calls a field, where the form calls it otherwise."""


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the tree with how deep it lies, in the order of a list."""

    resource: Resource
    depth: int

    @property
    def value(self) -> str:
        """Return how the form names it."""
        return f"{self.resource.type}/{self.resource.key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """Where ``user`` may have keys, and what one may do in the chosen ``tenant`` (None: in no tenant at all)."""

    tenants: Sequence[Tenant]
    tenant: Tenant | None
    entries: Sequence[PermissionEntry]
    maker: Maker | None = None
    nodes: Sequence[Node] = ()
    servers: Sequence[Server] = ()

    @property
    def groups(self) -> list[tuple[str, list[PermissionEntry]]]:
        """The entries by the resource that they are about, with its title; what destroys comes last."""
        return grouped(self.entries)

    @property
    def simple(self) -> list[str]:
        """The words of the simple mode that stand for anything here."""
        rights = frozenset(entry.permission for entry in self.entries)
        return [word for word, pattern in SIMPLE.items() if expand([pattern], rights)]

    @property
    def many(self) -> bool:
        """Whether there are too many nodes to show."""
        return len(self.nodes) > MOST_SHOWN

    @property
    def makes(self) -> bool:
        """Whether they may make keys here at all."""
        if self.tenant is None or self.maker is None:
            return False
        makers = self.tenant.key_policy.create
        return (
            makers is KeyMakers.MEMBERS or self.maker.manages or (makers is KeyMakers.PERMITTED and self.maker.creates)
        )

    @property
    def expiries(self) -> dict[str, str]:
        """The ends that may be chosen here, with their words."""
        policy = None if self.tenant is None else self.tenant.key_policy
        if policy is None or self.maker is None:
            return {}
        never = policy.may_never_end is NeverEnding.MEMBERS or (
            policy.may_never_end is NeverEnding.ADMINISTRATORS and self.maker.manages
        )
        most = policy.max_days
        return {
            value: words
            for value, (words, days) in EXPIRIES.items()
            if (days is None or most is None or days <= most) and (value != "never" or never)
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyForm:
    """What stands in the form. ``errors`` are by field; '' is the form as a whole."""

    name: str = ""
    client: str = ""
    """The guide of the client that it is for."""
    owner: str = ""
    """Whose it becomes, by address; empty: whoever makes it."""
    mode: str = GRANULAR
    simple: frozenset[str] = frozenset({"read"})
    scopes: frozenset[str] = frozenset()
    places: frozenset[str] = frozenset()
    servers: frozenset[str] = frozenset()
    addresses: str = ""
    expiry: str = DEFAULT_EXPIRY
    until: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)

    @property
    def written(self) -> str:
        """The places, one a line."""
        return "\n".join(sorted(self.places))


def grouped(entries: Sequence[PermissionEntry]) -> list[tuple[str, list[PermissionEntry]]]:
    """Return entries by the resource that they are about, with its title; what destroys comes last."""
    found: dict[str, list[PermissionEntry]] = {}
    for entry in sorted(entries, key=lambda each: each.destructive):
        title = entry.permission.partition(":")[0].replace("_", " ").replace("-", " ").capitalize()
        found.setdefault(title, []).append(entry)
    return list(found.items())


def choices(reader: Reader, user: User, slug: str) -> Choices:
    """Return what ``user`` may choose; ``slug`` is the tenant asked for, else it is the first."""
    tenants = [tenant for tenant, _ in accounts.memberships_of_user(reader, user.id)]
    tenant = next((each for each in tenants if each.slug == slug), tenants[0] if tenants and not slug else None)
    if tenant is None:
        return Choices(tenants=tenants, tenant=None, entries=[])
    maker, enabled = person(reader, tenant.id, user.id), servers.servers_of_tenant(reader, tenant.id)
    mine = maker.anywhere or frozenset[Permission]()
    return Choices(
        tenants=tenants,
        tenant=tenant,
        entries=[each for each in permissions.catalogue(reader) if each.permission in mine],
        maker=maker,
        nodes=in_order(nodes_of(reader, tenant, user)),
        servers=[server for server in servers.servers(reader) if server.id in enabled],
    )


def blank(offered: Choices) -> KeyForm:
    """Return the form as it is first shown: everything ordinary ticked, nothing that destroys."""
    usual = (entry.permission for entry in offered.entries if entry.is_default and not entry.destructive)
    ends = [value for value in offered.expiries if value != "never"]
    expiry = DEFAULT_EXPIRY if DEFAULT_EXPIRY in ends else next(iter(ends), DEFAULT_EXPIRY)
    return KeyForm(scopes=frozenset(usual), expiry=expiry)


def read(sent: Form) -> KeyForm:
    """Return what was sent, as it was typed."""
    written = sent.one("places").splitlines()
    return KeyForm(
        name=sent.one("name")[:200],
        client=sent.one("client")[:40],
        owner=sent.one("for_whom").strip()[:254],
        mode=sent.one("mode") or GRANULAR,
        simple=frozenset(sent.many("simple")),
        scopes=frozenset(sent.many("scope")),
        places=frozenset(text.strip() for text in [*sent.many("place"), *written] if text.strip()),
        servers=frozenset(sent.many("server")),
        addresses=sent.one("addresses")[:4000],
        expiry=sent.one("expiry"),
        until=sent.one("until")[:20],
    )


def checked(form: KeyForm) -> KeyForm:
    """Return the form with what is wrong with it, field by field, as far as that can be said without asking."""
    errors = {}
    if not is_plain_name(form.name):
        errors["name"] = f"Give the key a name of 1 to {MAX_NAME_LENGTH} ordinary characters."
    if not (form.scopes if form.mode == GRANULAR else form.simple & SIMPLE.keys()):
        errors["scope"] = "Choose at least one permission."
    if form.expiry not in EXPIRIES:
        errors["expiry"] = "Choose when the key ends."
    elif form.expiry == "date" and not form.until:
        errors["expiry"] = "Write the last day, like 2027-01-31."
    return replace(form, errors=errors)


def refused(form: KeyForm, why: KeyRefused) -> KeyForm:
    """Return the form with what the use case said, at its field."""
    return replace(form, errors={FIELDS.get(why.field, why.field): why.public})


def wish_of(form: KeyForm) -> KeyWish:
    """Return the key that the form asks for. No place or server ticked: all of them."""
    pairs = tuple((kind, key) for kind, _, key in (text.partition("/") for text in sorted(form.places)))
    ends = form.expiry in EXPIRIES
    return KeyWish(
        name=form.name,
        owner=form.owner or None,
        scopes=tuple(sorted(form.scopes if form.mode == GRANULAR else form.simple & SIMPLE.keys())),
        resources=pairs or None,
        servers=tuple(sorted(form.servers)) or None,
        networks=tuple(form.addresses.replace(",", " ").split()),
        expires=end_of(form.expiry, form.until) if ends else USUAL,
    )


def end_of(expiry: str, until: str) -> str:
    """Return the end that was chosen, in the words of the use case."""
    days = EXPIRIES[expiry][1]
    return until if expiry == "date" else expiry if days is None else f"{days}d"


def in_order(tree: ResourceTree) -> list[Node]:
    """Return all nodes of a tree, each below its parent; one whose parent is not there stands at the top."""
    below: dict[str | None, list[Resource]] = {}
    for node in tree.nodes():
        known = node.parent_id is not None and node.parent_id in tree
        below.setdefault(node.parent_id if known else None, []).append(node)
    found: list[Node] = []
    waiting = [Node(each, 0) for each in reversed(below.get(None, []))]
    while waiting:
        top = waiting.pop()
        found.append(top)
        waiting += [Node(each, top.depth + 1) for each in reversed(below.get(top.resource.id, []))]
    return found
