"""A document's ``trust`` entry: which tokens of another issuer stand for a service account (feature B18)."""

from typing import Any, Final

from doorward.credentials.trust_rules import Wish
from doorward.protocol.trust import MAX_LIFETIME
from doorward.provisioning import names
from doorward.provisioning.document import TrustDeclared
from doorward.provisioning.parse_client import public_jwks
from doorward.provisioning.reading import Place
from doorward.provisioning.resource_tree import NodeName
from doorward.provisioning.values import flag, needed, permissions, title, unique, values

_KEYS: Final = (
    "name", "issuer", "audience", "claims", "pin", "service_account", "scopes", "resources", "servers", "lifetime",
    "single_use", "jwks_uri", "jwks",
)  # fmt: skip


def parse_trust(place: Place) -> TrustDeclared:
    """Return one trust rule. Raises ``DocumentError``."""
    table = place.table(*_KEYS)
    given: dict[str, Any] = {name: table[name].text() for name in ("audience", "jwks_uri") if name in table}
    servers, single_use = values(table.get("servers")), flag(table.get("single_use"))
    wish = Wish(
        name=title(needed(place, table, "name")) or "",
        issuer=needed(place, table, "issuer").text(),
        claims=_claims(needed(place, table, "claims")),
        account=_email(needed(place, table, "service_account")),
        pins=values(table.get("pin")),
        scopes=permissions(table.get("scopes")),
        servers=None if servers is None else frozenset(servers),
        lifetime=_lifetime(table.get("lifetime")),
        single_use=single_use is not False,
        jwks=public_jwks(table.get("jwks")) or (),
        **given,
    )
    nodes = None if "resources" not in table else unique(table["resources"], _node, lambda node: node)
    return TrustDeclared(path=place.path, wish=wish, resources=nodes)


def _claims(place: Place) -> dict[str, str]:
    if not isinstance(place.value, dict):
        place.refuse("not names and values", "Write it like {repository: acme/site, ref: refs/heads/main}")
    return {name: each.text() for name, each in place.table(*map(str, place.value)).items()}


def _lifetime(place: Place | None) -> int:
    if place is None:
        return MAX_LIFETIME
    if type(place.value) is not int:
        place.refuse("not a number of seconds", f"Write at most {MAX_LIFETIME}")
    return int(place.value)


def _email(place: Place) -> str:
    email = names.email_of(place.text())
    if email is None:
        place.refuse(f"{place.text()[:80]!r} is no e-mail address", "Write that of a user of kind service")
    return email


def _node(place: Place) -> NodeName:
    table = place.table("type", "key")
    return needed(place, table, "type").text(), needed(place, table, "key").text()
