"""A ``providers`` entry: an identity provider that people may sign in through (feature E1)."""

import re
from typing import Final

from doorward.accounts.ways_in import WORDS
from doorward.credentials.upstream_secrets import NAME
from doorward.federation.templates import OIDC, Template, templates
from doorward.model import Status
from doorward.protocol.mail_domain import domain_ok
from doorward.provisioning.document import ProviderDeclared
from doorward.provisioning.reading import Place
from doorward.provisioning.values import choice, flag, needed, title, unique

_SLUG: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")
_CLIENT_ID: Final = re.compile(r"[\x21-\x7e]{1,255}")
_SCOPE: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,100}")
_KEYS: Final = (
    "slug", "name", "template", "issuer", "client_id", "secret", "scopes", "domains", "trust_email", "status",
)  # fmt: skip


def parse_provider(place: Place) -> ProviderDeclared:
    """Return one provider. Raises ``DocumentError``."""
    table = place.table(*_KEYS)
    template = _template(table.get("template"))
    issuer = _issuer(place, table.get("issuer"), template)
    domains = None if "domains" not in table else unique(table["domains"], _domain, lambda domain: domain)
    if domains and issuer in template.many:
        # Anybody's tenant of that provider can write any address into its people's records.
        table["domains"].refuse(
            "people of any organisation come through this issuer, so that it speaks for no domain",
            f"Name the issuer of one organisation, like {template.issuer_form}",
        )
    return ProviderDeclared(
        path=place.path,
        slug=_slug(needed(place, table, "slug")),
        name=title(table.get("name")),
        template=template.key,
        issuer=issuer,
        client_id=_matching(needed(place, table, "client_id"), _CLIENT_ID, "client id"),
        secret=None if "secret" not in table else _matching(table["secret"], NAME, "name of a secret"),
        scopes=None if "scopes" not in table else unique(table["scopes"], _scope, lambda scope: scope),
        domains=domains,
        trust_email=flag(table.get("trust_email")),
        status=choice(table.get("status"), Status),
    )


def sign_in_methods(place: Place | None) -> tuple[str, ...] | None:
    """Return what ``sign_in.methods`` of a tenant says; None where it is null."""
    if place is None or place.value is None:
        return None
    found = unique(place, _slug_or_word, lambda word: word)
    if not found:
        place.refuse(
            "nobody could sign in", f"Write some of {', '.join(WORDS)} and slugs of providers, or null for all"
        )
    return found


def _template(place: Place | None) -> Template:
    key = OIDC if place is None else place.text()
    found = templates().get(key)
    if found is None and place is not None:
        place.refuse(f"{key[:80]!r} is not known", f"Write one of: {', '.join(templates())}")
    return found or templates()[OIDC]


def _issuer(entry: Place, place: Place | None, template: Template) -> str:
    if place is None:
        if template.issuer is None:
            form = template.issuer_form or "https://id.example.com"
            entry.refuse("issuer is missing", f"Add issuer, like {form}")
        return template.issuer
    issuer = place.text()
    if template.wrong_issuer(issuer) or (template.plain is not None and issuer != template.issuer):
        place.refuse(
            f"{issuer[:200]!r} is no issuer of this kind", f"Write it like {template.issuer_form or template.issuer or 'https://id.example.com'}"
        )  # fmt: skip
    return issuer


def _slug(place: Place) -> str:
    slug = _matching(place, _SLUG, "slug")
    if slug in WORDS:
        place.refuse(f"{slug!r} is a way of signing in of our own", "Choose another slug")
    return slug


def _slug_or_word(place: Place) -> str:
    return _matching(place, _SLUG, "way of signing in")


def _scope(place: Place) -> str:
    return _matching(place, _SCOPE, "scope")


def _domain(place: Place) -> str:
    if not domain_ok(place.text()):
        place.refuse(f"{place.text()[:80]!r} is no mail domain", "Write it like acme.example, in lower case")
    return place.text()


def _matching(place: Place, pattern: re.Pattern[str], what: str) -> str:
    if pattern.fullmatch(place.text()) is None:
        place.refuse(f"{place.text()[:80]!r} is no {what}", "Mend it")
    return place.text()
