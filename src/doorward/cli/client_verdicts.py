"""``doorward client list``, ``allow``, ``deny`` and ``allow-redirect``: which clients may be let in (B3)."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from doorward.authserver import client_verdicts
from doorward.authserver.admission import Admission
from doorward.authserver.client_verdicts import VerdictRefused, Word
from doorward.cli.errors import CommandFailed
from doorward.cli.named import tenant_of
from doorward.cli.options import deployment, settings_of, with_core
from doorward.model import Client, ClientId, Status, TenantId
from doorward.protocol import redirect_uri
from doorward.storage import accounts, clients
from doorward.storage.client_verdicts import EVERYWHERE, Verdict, VerdictKind, verdicts

if TYPE_CHECKING:
    from doorward.bootstrap.core import Core
    from doorward.storage.database import Reader, Transaction

SHOWN: Final = 500
_tenant = click.option("--tenant", "slug", help="In this tenant only; otherwise in the whole deployment.")
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.command(name="list", epilog="Example: doorward client list --tenant acme")
@_tenant
@_json
@deployment
def list_clients(*, slug: str | None, as_json: bool, config: Path | None, data: Path | None) -> None:
    """Show the clients that registered last, whether they may be let in, and what administrators said."""
    settings = settings_of(config, data)

    async def use(core: "Core") -> "tuple[list[dict[str, Any]], list[dict[str, Any]]]":
        from doorward.bootstrap.clients import client_directory  # noqa: PLC0415  (as in with_core)

        admission = Admission(settings.registration.policy, client_directory(settings).is_fixed)
        return await core.database.read_long(lambda reader: _listed(reader, admission, _where(reader, slug)))

    shown, said = with_core(settings, use)
    if as_json:
        print(json.dumps({"clients": shown, "verdicts": said}))
        return
    for each in shown:
        print(
            f"{each['state']:<8} {each['id']}  “{each['name']}”, {each['kind']}, answers go to {', '.join(each['hosts'])}"
        )
    for each in said:
        what = " ".join(filter(None, [each["client"], each["value"]]))
        print(f"{'allowed' if each['allowed'] else 'denied'} {each['kind']} {what} {_place(each['tenant'])}")


@click.command(epilog="Example: doorward client allow --host claude.ai --tenant acme")
@click.argument("client_id", metavar="[CLIENT]", required=False)
@click.option("--host", help="Instead of CLIENT: every client whose answers go to this https host.")
@_tenant
@deployment
def allow(*, client_id: str | None, host: str | None, slug: str | None, config: Path | None, data: Path | None) -> None:
    """Let people let CLIENT in. It stands above an earlier denial of the same."""
    _decide(client_id, host, slug, config, data, allowed=True)


@click.command(epilog="Example: doorward client deny client_3f09ab12cd")
@click.argument("client_id", metavar="[CLIENT]", required=False)
@click.option("--host", help="Instead of CLIENT: every client whose answers go to this https host.")
@_tenant
@deployment
def deny(*, client_id: str | None, host: str | None, slug: str | None, config: Path | None, data: Path | None) -> None:
    """Let nobody let CLIENT in any more, under every policy, and end what it has, at its next call."""
    _decide(client_id, host, slug, config, data, allowed=False)


@click.command(name="allow-redirect", epilog="Example: doorward client allow-redirect portal https://p.example/cb")
@click.argument("client_id", metavar="CLIENT")
@click.argument("uri", metavar="URI")
@click.option("--withdraw", is_flag=True, help="No more: connections that were answered there end.")
@_tenant
@deployment
def allow_redirect(
    *, client_id: str, uri: str, withdraw: bool, slug: str | None, config: Path | None, data: Path | None
) -> None:
    """Let CLIENT be answered at exactly this redirect URI too, beside those that it registered."""
    settings = settings_of(config, data)

    def change(tx: "Transaction", word: Word) -> int:
        from doorward.bootstrap.clients import client_directory  # noqa: PLC0415
        from doorward.clients import profiles  # noqa: PLC0415

        return client_verdicts.decide_redirect(
            tx, ClientId(client_id), uri, word, directory=client_directory(settings),
            vendor_schemes=profiles.vendor_schemes(),
        )  # fmt: skip

    ended = _changed(settings, change, slug, allowed=not withdraw)
    _tell(f"{uri} of {client_id}", slug, ended, allowed=not withdraw)


def _decide(
    client_id: str | None, host: str | None, slug: str | None, config: Path | None, data: Path | None, *, allowed: bool
) -> None:
    if (client_id is None) == (host is None):
        raise click.UsageError("Name a client, or a host with --host: one of the two.")
    settings = settings_of(config, data)

    def change(tx: "Transaction", word: Word) -> int:
        from doorward.bootstrap.clients import client_directory  # noqa: PLC0415

        if host is not None:
            return client_verdicts.decide_host(tx, host, word)
        return client_verdicts.decide_client(tx, ClientId(client_id or ""), word, directory=client_directory(settings))

    ended = _changed(settings, change, slug, allowed=allowed)
    _tell(client_id or f"every client answered at {host}", slug, ended, allowed=allowed)


def _changed(settings: Any, change: "Callable[[Transaction, Word], int]", slug: str | None, *, allowed: bool) -> int:
    async def use(core: "Core") -> int:
        now = core.now()
        return await core.database.write(
            lambda tx: change(tx, Word(allowed=allowed, tenant_id=_where(tx, slug), by=None, now=now, cause=None))
        )

    try:
        return with_core(settings, use)
    except VerdictRefused as wrong:
        raise CommandFailed(str(wrong)) from wrong


def _tell(what: str, slug: str | None, ended: int, *, allowed: bool) -> None:
    ends = "" if allowed else f" Connections ended: {ended}."
    print(f"{what} is {'allowed' if allowed else 'denied'} {_place(slug)}.{ends}")


def _place(slug: str | None) -> str:
    return f"in {slug}" if slug else "everywhere"


def _where(reader: "Reader", slug: str | None) -> TenantId:
    return EVERYWHERE if slug is None else tenant_of(reader, slug).id


def _listed(
    reader: "Reader", admission: Admission, tenant_id: TenantId
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    slugs = {tenant.id: tenant.slug for tenant in accounts.all_tenants(reader)}
    shown = [_client(reader, admission, tenant_id, each) for each in clients.newest_clients(reader, SHOWN)]
    said = verdicts(reader, None if tenant_id == EVERYWHERE else tenant_id)
    return shown, [_said(each, slugs.get(each.tenant_id)) for each in said]


def _client(reader: "Reader", admission: Admission, tenant_id: TenantId, client: Client) -> dict[str, Any]:
    uris = client.redirect_uris
    return {
        "id": client.id,
        "name": client.name,
        "kind": client.kind.value,
        "hosts": sorted({redirect_uri.describe(uri).host_display for uri in uris}) or ["nobody"],
        "state": _state(reader, admission, tenant_id, client),
    }


def _state(reader: "Reader", admission: Admission, tenant_id: TenantId, client: Client) -> str:
    if client.status is not Status.ACTIVE:
        return "disabled"
    uris = client.redirect_uris
    if any(admission.why_not(reader, tenant_id, client, uri) is None for uri in uris) or not uris:
        return "allowed"
    said = (verdict for uri in uris for verdict in admission.said(reader, tenant_id, client, uri))
    return "waiting" if all(verdict.allowed for verdict in said) else "denied"


def _said(verdict: Verdict, slug: str | None) -> dict[str, Any]:
    return {
        "tenant": slug,
        "kind": VerdictKind(verdict.kind).value,
        "client": verdict.client_id or None,
        "value": verdict.value or None,
        "allowed": verdict.allowed,
    }
