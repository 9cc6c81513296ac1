"""Bearers that another system issued (C9): what its answer makes of one, and which of our people that is.

The kind is told by the prefix alone, which no credential of ours has (I12). The other system says that the bearer is good
and whose it is; what that person may do is decided here, from live rows, like for everybody.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from doorward.credentials.principals import Authenticated, Unauthenticated, principal_of_bearer
from doorward.credentials.secret import SecretKind
from doorward.model import SECOND, Instant, Permission
from doorward.storage import accounts
from doorward.storage.database import Reader

MIN_PREFIX: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalSystem:
    """Who issues bearers that begin with ``prefix``, and how its answer is read. Fields are dotted paths.

    A person is found by a verified e-mail address (``email_field``, ``verified_field``; ``trust_email`` where the system
    gives out verified ones only) or by ``subjects``: what ``subject_field`` says → e-mail address here.
    """

    name: str
    prefix: str
    url: str
    introspects: bool
    """RFC 7662; otherwise ``url`` is a profile that the bearer itself opens."""
    client_id: str = ""
    client_secret: str = ""
    audience: str = ""
    """Whom its bearers must be for (``aud``); without it, one that was made for another service is as good here."""
    email_field: str = "email"
    verified_field: str = "email_verified"
    trust_email: bool = False
    subject_field: str = "sub"
    subjects: Mapping[str, str]
    tenant: str = ""
    tenant_field: str = ""
    scopes: frozenset[Permission]
    scope_field: str = ""
    scope_map: Mapping[str, frozenset[Permission]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vouched:
    """What the other system said of one bearer."""

    system: str
    email: str
    tenant_slug: str
    scopes: frozenset[Permission]
    expires_at: Instant | None


def why_prefix_is_ours(prefix: str, api_key_prefix: str) -> str | None:
    """Return why a prefix could be that of a credential of ours, or None."""
    if len(prefix) < MIN_PREFIX or not prefix.isascii() or not prefix.replace("_", "").replace("-", "").isalnum():
        return f"shorter than {MIN_PREFIX} characters, or not letters, digits, - and _"
    ours = [f"{kind}_" for kind in (*SecretKind, api_key_prefix)]
    if any(prefix.startswith(each) or each.startswith(prefix) for each in ours):
        return "credentials of this server begin so"
    # Our access tokens are JWTs; every JWT begins so.
    return "signed tokens begin so" if prefix.startswith("ey") else None


def read_answer(system: ExternalSystem, answer: Mapping[str, Any], now: Instant) -> Vouched:
    """Return what an answer says. Raises ``Unauthenticated`` for everything that is not clear."""
    if system.introspects and answer.get("active") is not True:
        raise Unauthenticated(f"{system.name} says that the bearer is not active")
    aud = answer.get("aud")
    if system.audience and system.audience not in (aud if isinstance(aud, list) else [aud]):
        raise Unauthenticated(f"{system.name} says that the bearer is for somebody else")
    expires = answer.get("exp")
    if expires is not None and (type(expires) is not int or expires * SECOND <= now):
        raise Unauthenticated(f"{system.name} says that the bearer has expired")
    return Vouched(
        system=system.name,
        email=_email(system, answer),
        tenant_slug=system.tenant or _text(answer, system.tenant_field, system),
        scopes=_scopes(system, answer),
        expires_at=None if expires is None else Instant(expires * SECOND),
    )


def authenticate(reader: Reader, vouched: Vouched) -> Authenticated:
    """Return our principal for what was vouched for. Raises ``Unauthenticated``."""
    user = accounts.user_by_email(reader, vouched.email)
    tenant = accounts.tenant_by_slug(reader, vouched.tenant_slug)
    if user is None or tenant is None:
        raise Unauthenticated(f"{vouched.system} vouches for a user or tenant that is not known here")
    principal, rates = principal_of_bearer(
        reader, user.id, tenant.id, system=vouched.system, scopes=vouched.scopes, expires_at=vouched.expires_at
    )
    return Authenticated(principal=principal, audience=None, not_before=Instant(0), rates=rates)


def _email(system: ExternalSystem, answer: Mapping[str, Any]) -> str:
    if system.subjects:
        found = system.subjects.get(_text(answer, system.subject_field, system))
        if found is None:
            raise Unauthenticated(f"{system.name} vouches for a subject that is mapped to nobody")
        return found.lower()
    # An address that nobody verified is a text that its owner typed: it would let them be anybody here.
    if not system.trust_email and _at(answer, system.verified_field) is not True:
        raise Unauthenticated(f"{system.name} does not say that the e-mail address is verified")
    return _text(answer, system.email_field, system).lower()


def _scopes(system: ExternalSystem, answer: Mapping[str, Any]) -> frozenset[Permission]:
    if not system.scope_field:
        return system.scopes
    said = _at(answer, system.scope_field)
    words = said.split() if isinstance(said, str) else said
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise Unauthenticated(f"{system.name} says no scopes in {system.scope_field}")
    return _mapped(words, system.scope_map)


def _mapped(words: Collection[str], known: Mapping[str, frozenset[Permission]]) -> frozenset[Permission]:
    return frozenset[Permission]().union(*(known[word] for word in words if word in known))


def _text(answer: Mapping[str, Any], path: str, system: ExternalSystem) -> str:
    value = _at(answer, path)
    if not isinstance(value, str) or not value:
        raise Unauthenticated(f"{system.name} says nothing in {path}")
    return value


def _at(answer: Mapping[str, Any], path: str) -> Any:
    value: Any = answer
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
