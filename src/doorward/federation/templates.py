"""What we know of well-known identity providers, as data with the day it was last verified."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

from doorward.protocol.identity_provider import ProviderMetadata, issuer_ok

OIDC: Final = "oidc"
"""The template of every provider that needs none."""
_SCOPES: Final = ("openid", "email", "profile")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainOAuth:
    """A provider without ID tokens: who somebody is stands at ``user`` and ``emails`` (its own form, GitHub's)."""

    user: str
    emails: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """One entry of ``providers.json``."""

    key: str
    name: str
    issuer: str | None
    """Where nobody needs to write one."""
    issuer_pattern: str | None
    issuer_form: str | None
    """How one looks, for people."""
    many: Mapping[str, str]
    """Issuers by which people of many tenants of the provider come in, and what their tokens name instead."""
    scopes: tuple[str, ...]
    verified_claim: str
    """Which claim says, by true, that the mail address is verified."""
    domain_claim: str | None
    """Which claim must name the address's domain before the provider speaks for it."""
    prompt: str
    """What has the person prove again who they are."""
    plain: PlainOAuth | None
    metadata: ProviderMetadata | None
    """Where there is no discovery document."""
    source: str
    last_verified: str

    def wrong_issuer(self, issuer: str) -> bool:
        """Say whether this cannot be an issuer of such a provider."""
        pattern = self.issuer_pattern
        return not issuer_ok(issuer) or (pattern is not None and re.fullmatch(pattern, issuer) is None)

    def named_by_tokens(self, issuer: str) -> str:
        """Return what tokens of the declared ``issuer`` name, perhaps with ``{tenantid}``."""
        return self.many.get(issuer, issuer)


@cache
def templates() -> Mapping[str, Template]:
    """Return all of them by key."""
    text = files("doorward.federation").joinpath("providers.json").read_text(encoding="utf-8")
    return MappingProxyType({key: _template(key, entry) for key, entry in json.loads(text).items()})


def _template(key: str, entry: Mapping[str, Any]) -> Template:
    places = entry.get("endpoints")
    return Template(
        key=key, name=entry["name"], issuer=entry.get("issuer"), issuer_pattern=entry.get("issuer_pattern"),
        issuer_form=entry.get("issuer_form"), many=MappingProxyType(entry.get("many", {})),
        scopes=tuple(entry.get("scopes", _SCOPES)), verified_claim=entry.get("verified_claim", "email_verified"),
        domain_claim=entry.get("domain_claim"), prompt=entry.get("prompt", "login"),
        plain=None if places is None else PlainOAuth(user=places["user"], emails=places["emails"]),
        metadata=None if places is None else ProviderMetadata(
            issuer=entry["issuer"], authorization_endpoint=places["authorization"], token_endpoint=places["token"],
            secret_in_body=True,
        ),
        source=entry["source"], last_verified=entry["last_verified"],
    )  # fmt: skip
