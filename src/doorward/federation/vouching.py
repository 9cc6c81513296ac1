"""What an identity provider's answer makes of somebody: claims become who it is, and whether the mail address counts.

A mail address never says who somebody is (security H18). It counts as proven only from a provider that the operator says
speaks for its domain, and only where the provider says by ``true`` that it is verified.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from doorward.federation.templates import Template
from doorward.model import IdentityProvider, Instant
from doorward.protocol.identity_provider import subject_ok
from doorward.protocol.mail_domain import domain_of

MAX_NAME: Final = 200
MAX_EMAIL: Final = 254


class NotVouched(Exception):  # noqa: N818  (an outcome)
    """The provider's answer does not say who it is. The message is private and quotes no token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vouched:
    """Who it is: ``subject`` at ``issuer``. ``email`` (lower case) is for people, unless ``email_proven``."""

    issuer: str
    subject: str
    email: str | None
    email_proven: bool
    name: str
    authenticated_at: Instant


def vouched(
    provider: IdentityProvider, template: Template, claims: Mapping[str, Any], *, issuer: str, authenticated_at: Instant
) -> Vouched:  # fmt: skip
    """Return what checked ``claims`` say. Raises ``NotVouched`` where there is no subject."""
    subject = claims.get("sub")
    if not isinstance(subject, str) or not subject_ok(subject):
        raise NotVouched("no usable subject")
    email = _email(claims.get("email"))
    domain = None if email is None else domain_of(email)
    speaks = domain in provider.domains and (
        template.domain_claim is None or claims.get(template.domain_claim) == domain
    )
    # Only the truth value: "true" as a text is what a careless or hostile provider sends (H18).
    verified = claims.get(template.verified_claim) is True or provider.trust_email
    return Vouched(
        issuer=issuer, subject=subject, email=email, email_proven=email is not None and speaks and verified,
        name=_name(claims.get("name")) or (email or subject), authenticated_at=authenticated_at,
    )  # fmt: skip


def claims_of_account(account: Mapping[str, Any], addresses: Sequence[Any]) -> dict[str, Any]:
    """Return the claims in GitHub's own form: a numeric id, and the one address that is primary and verified."""
    number = account.get("id")
    if type(number) is not int:
        raise NotVouched("the account has no id")
    primary = next(
        (each for each in addresses if isinstance(each, dict) and each.get("primary") is True and "email" in each), {}
    )
    return {
        "sub": str(number), "name": account.get("name") or account.get("login"), "email": primary.get("email"),
        "email_verified": primary.get("verified"),
    }  # fmt: skip


def _email(said: object) -> str | None:
    if not isinstance(said, str) or not 0 < len(said) <= MAX_EMAIL or not said.isprintable() or " " in said:
        return None
    return said.lower()


def _name(said: object) -> str:
    """Return a name that somebody else chose, in one line of printable characters."""
    text = " ".join(said.split()) if isinstance(said, str) else ""
    return "".join(each for each in text if each.isprintable())[:MAX_NAME]
