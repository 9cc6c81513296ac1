"""``doorward trust``: which tokens of other issuers stand for a service account of a tenant (feature B18)."""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from doorward.cli.errors import CommandFailed
from doorward.cli.named import tenant_of
from doorward.cli.options import about, deployment, settings_of, with_core
from doorward.credentials import trust_rules as rules
from doorward.credentials.trust_rules import RuleRefused, Wish
from doorward.model import Permission, TrustRule
from doorward.policy.permission import parse
from doorward.protocol.trust import MAX_LIFETIME
from doorward.storage import trust_rules as stored
from doorward.storage.database import Transaction

if TYPE_CHECKING:
    from doorward.bootstrap.core import Core

ISSUERS: Final = {"github": "https://token.actions.githubusercontent.com", "gitlab": "https://gitlab.com"}
"""Names for the issuers that most people mean."""
_ACTOR: Final = "doorward trust"

T = TypeVar("T")


@click.group(epilog="Example: doorward trust list acme")
def trust() -> None:
    """Let CI jobs and workloads in by the tokens their platform gives them: no secret is stored anywhere."""


@trust.command(
    epilog="Example: doorward trust add acme Deploy --issuer github --claim repository=acme/site"
    " --claim ref=refs/heads/main --account ci@acme.example --scope documents:write"
)
@click.argument("tenant", metavar="TENANT")
@click.argument("name", metavar="NAME")
@click.option("--issuer", required=True, help="https URL of the platform's issuer; or github, gitlab.")
@click.option("--claim", "claims", multiple=True, required=True, help="CLAIM=VALUE that the token must have; repeated.")
@click.option("--account", required=True, help="E-mail address of the service account.")
@click.option("--audience", help="The token's aud. Default: this server's URL.")
@click.option("--pin", "pins", multiple=True, help="Claim that the first token decides; repeated. Default: by claims.")
@click.option("--scope", "scopes", multiple=True, help="Permission; repeated. Default: all of the account's.")
@click.option("--resource", "resources", multiple=True, help="TYPE/KEY of a node: only it and below; repeated.")
@click.option("--server", "servers", multiple=True, help="Slug of a server; repeated. Default: all of the tenant's.")
@click.option("--lifetime", type=int, default=MAX_LIFETIME, show_default=True, help="Seconds of an access token.")
@click.option("--reusable", is_flag=True, help="Take each of the platform's tokens more than once.")
@click.option("--jwks-uri", help="Where the issuer's keys are, if its discovery document does not say.")
@deployment
def add(  # noqa: PLR0913  (one option each)
    *,
    tenant: str,
    name: str,
    issuer: str,
    claims: tuple[str, ...],
    account: str,
    audience: str | None,
    pins: tuple[str, ...],
    scopes: tuple[str, ...],
    resources: tuple[str, ...],
    servers: tuple[str, ...],
    lifetime: int,
    reusable: bool,
    jwks_uri: str | None,
    config: Path | None,
    data: Path | None,
) -> None:
    """Make the rule NAME of TENANT, or change it. It is in force at once."""
    wish = Wish(
        name=name,
        issuer=ISSUERS.get(issuer, issuer),
        claims=_claims(claims),
        account=account,
        audience=audience,
        pins=pins or None,
        scopes=_scopes(scopes),
        servers=frozenset(servers) or None,
        lifetime=lifetime,
        single_use=not reusable,
        jwks_uri=jwks_uri,
    )

    async def use(core: "Core") -> TrustRule:
        now, entropy = core.now(), core.entropy
        return await core.database.write(
            lambda tx: rules.put_rule(
                tx, tenant_of(tx, tenant), _narrowed(tx, tenant, wish, resources), now=now, entropy=entropy, by=_ACTOR
            )
        )

    rule = _try(config, data, use)
    print(f"Trust rule {rule.id} “{rule.name}” is in force{'' if rule.pinned is not None else ', and pending'}.")
    if rule.pinned is None:
        print(f"Its first token decides: {', '.join(rule.pins)}.")


@trust.command(name="list", epilog="Example: doorward trust list acme --json")
@click.argument("tenant", metavar="TENANT")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@deployment
def list_rules(*, tenant: str, as_json: bool, config: Path | None, data: Path | None) -> None:
    """Say which rules TENANT has, and what each is pinned to."""

    async def use(core: "Core") -> list[TrustRule]:
        return await core.database.read_long(
            lambda reader: stored.rules_of_tenant(reader, tenant_of(reader, tenant).id)
        )  # fmt: skip

    found = _try(config, data, use)
    if as_json:
        print(json.dumps({"tenant": tenant, "rules": [_facts(rule) for rule in found]}))
        return
    for rule in found:
        wanted = " ".join(f"{name}={value}" for name, value in rule.claims.items())
        known = rule.pinned
        state = "pending" if known is None else " ".join(f"{name}={value}" for name, value in known.items())
        print(f"{rule.id}  {rule.name}  {rule.issuer}  {wanted}  [{state or 'nothing to pin'}]")


@trust.command(epilog="Example: doorward trust remove acme Deploy")
@about(tenant="TENANT", name="NAME")
def remove(*, tenant: str, name: str, config: Path | None, data: Path | None) -> None:
    """Remove the rule NAME of TENANT. Its tokens are refused at the next call."""

    async def use(core: "Core") -> TrustRule:
        now = core.now()
        return await core.database.write(
            lambda tx: rules.remove_rule(tx, tenant_of(tx, tenant), name, now=now, by=_ACTOR)
        )  # fmt: skip

    print(f"Trust rule “{_try(config, data, use).name}” is removed.")


def _try(config: Path | None, data: Path | None, use: Callable[[Any], Awaitable[T]]) -> T:
    try:
        return with_core(settings_of(config, data), use)
    except RuleRefused as wrong:
        raise CommandFailed(str(wrong)) from wrong


def _narrowed(tx: Transaction, tenant: str, wish: Wish, resources: Sequence[str]) -> Wish:
    if not resources:
        return wish
    names = {(text.partition("/")[0], text.partition("/")[2]): text for text in resources}
    return replace(wish, resources=rules.resources_named(tx, tenant_of(tx, tenant), names))


def _claims(texts: Sequence[str]) -> dict[str, str]:
    found = dict(text.partition("=")[::2] for text in texts)
    if len(found) != len(texts) or not all(found.values()):
        raise CommandFailed("--claim must be CLAIM=VALUE, and each claim once.")
    return found


def _scopes(texts: Sequence[str]) -> frozenset[Permission] | None:
    try:
        return frozenset(map(parse, texts)) or None
    except ValueError as wrong:
        raise CommandFailed(f"--scope: {wrong}. Write it like documents:read.") from wrong


def _facts(rule: TrustRule) -> dict[str, object]:
    return {
        "id": rule.id, "name": rule.name, "issuer": rule.issuer, "audience": rule.audience, "claims": rule.claims,
        "pins": list(rule.pins), "pinned": rule.pinned, "lifetime": rule.lifetime, "single_use": rule.single_use,
        "scopes": None if rule.scopes is None else sorted(rule.scopes),
    }  # fmt: skip
