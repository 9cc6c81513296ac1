"""The domain of a mail address, and the record by which a tenant proves one (feature E1)."""

import re

LABEL = "_doorward-challenge"
PREFIX = "doorward-domain-verification="

_NAME = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])")
_LONGEST = 253 - len(LABEL) - 1


def domain_ok(domain: str) -> bool:
    """Say whether this is a domain as we keep it: a lower-case host name with a dot, in the ASCII form."""
    return len(domain) <= _LONGEST and _NAME.fullmatch(domain) is not None


def domain_of(email: str) -> str | None:
    """Return the domain of a stored (lower-case) address; None where it has none of that form.

    Exactly that domain: a subdomain is another one, which somebody else may hold.
    """
    local, at, domain = email.rpartition("@")
    return domain if at and local and domain_ok(domain) else None


def record_name(domain: str) -> str:
    """Return where the record of ``domain`` stands."""
    return f"{LABEL}.{domain}"


def record_value(challenge: str) -> str:
    """Return the text that proves it."""
    return PREFIX + challenge
