"""``doorward approval``: calls that somebody has to approve before they are made (feature D8)."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from doorward.cli.errors import CommandFailed
from doorward.cli.named import tenant_of
from doorward.cli.options import about, deployment, settings_of, with_core

if TYPE_CHECKING:
    from collections.abc import Sequence

    from doorward.bootstrap.core import Core
    from doorward.gateway.approvals.desk import Viewer
    from doorward.storage.database import Reader, Transaction

_THROUGH: Final = "doorward approval"


@click.group(epilog="Example: doorward approval list")
def approval() -> None:
    """Decide about calls that want an approval, as the operator. Works beside a running server."""


@approval.command(name="list", epilog="Example: doorward approval list --tenant acme")
@click.option("--tenant", help="Slug of one tenant; else all.")
@click.option("--all", "over_too", is_flag=True, help="Also those that do not wait any more.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@deployment
def list_approvals(
    *, tenant: str | None, over_too: bool, as_json: bool, config: Path | None, data: Path | None
) -> None:  # fmt: skip
    """Show what waits for an approval, oldest first."""

    async def use(core: "Core") -> list[dict[str, Any]]:
        now = core.now()
        return await core.database.read_long(lambda reader: _listed(reader, tenant, now, over_too=over_too))

    rows = with_core(settings_of(config, data), use)
    if as_json:
        print(json.dumps({"approvals": rows}))
        return
    _print(rows)


@approval.command(epilog="Example: doorward approval show ap_3QnB0xkTf2c9A0ZtW1yRuQ")
@about(approval_id="ID")
def show(*, approval_id: str, config: Path | None, data: Path | None) -> None:
    """Print one with its arguments, as JSON."""

    async def use(core: "Core") -> dict[str, Any]:
        now = core.now()
        return await core.database.read_long(lambda reader: _shown(reader, core, approval_id, now))

    print(json.dumps(with_core(settings_of(config, data), use), indent=2))


@approval.command(epilog="Example: doorward approval approve ap_3QnB0xkTf2c9A0ZtW1yRuQ")
@about(approval_id="ID")
def approve(*, approval_id: str, config: Path | None, data: Path | None) -> None:
    """Let the call ID be made once; the app has to make it again."""
    print(f"Call {_decided(approval_id, config, data, approve=True)} is approved: it may be made once.")


@approval.command(epilog="Example: doorward approval deny ap_3QnB0xkTf2c9A0ZtW1yRuQ")
@about(approval_id="ID")
def deny(*, approval_id: str, config: Path | None, data: Path | None) -> None:
    """Refuse the call ID; the app is told so."""
    print(f"Call {_decided(approval_id, config, data, approve=False)} is denied.")


def _print(rows: "Sequence[dict[str, Any]]") -> None:
    for row in rows:
        print(f"{row['id']}  {row['state']:<8} {row['tool']} of {row['server']} in {row['tenant']}, for {row['user']}")


def _listed(reader: "Reader", slug: str | None, now: Any, *, over_too: bool) -> list[dict[str, Any]]:
    from doorward.gateway.approvals import desk  # noqa: PLC0415  (only what touches data loads it)
    from doorward.gateway.approvals.view import described  # noqa: PLC0415

    tenant = None if slug is None else tenant_of(reader, slug)
    found = desk.waiting(reader, _operator(), now, tenant)
    found += desk.over(reader, _operator(), now, tenant) if over_too else []
    return [described(each) for each in found]


def _shown(reader: "Reader", core: "Core", approval_id: str, now: Any) -> dict[str, Any]:
    from doorward.bootstrap.approvals import approval_terms  # noqa: PLC0415
    from doorward.gateway.approvals import desk  # noqa: PLC0415
    from doorward.gateway.approvals.view import described  # noqa: PLC0415

    try:
        return described(desk.look(reader, approval_id, _operator(), approval_terms(core), now))
    except desk.NoSuchApproval as missing:
        raise _no_such(approval_id) from missing


def _decided(approval_id: str, config: Path | None, data: Path | None, *, approve: bool) -> str:
    from doorward.bootstrap.approvals import approval_terms  # noqa: PLC0415
    from doorward.gateway.approvals import desk  # noqa: PLC0415

    async def use(core: "Core") -> str:
        terms, now = approval_terms(core), core.now()

        def work(tx: "Transaction") -> str:
            seen = desk.decide(tx, approval_id, _operator(), terms, approve=approve, now=now)
            return f"{seen.approval.tool} ({seen.approval.id})"

        return await core.database.write(work)

    try:
        return with_core(settings_of(config, data), use)
    except desk.NoSuchApproval as missing:
        raise _no_such(approval_id) from missing
    except desk.NotWaiting as late:
        raise CommandFailed(
            f"{approval_id} does not wait any more: it was decided, or its time is over. `doorward approval list --all` tells."
        ) from late


def _operator() -> "Viewer":
    from doorward.gateway.approvals.desk import Viewer  # noqa: PLC0415

    return Viewer(user_id=None, through=_THROUGH, cause=None)


def _no_such(approval_id: str) -> CommandFailed:
    return CommandFailed(f"there is no approval {approval_id[:80]!r}. `doorward approval list` shows the ids.")
