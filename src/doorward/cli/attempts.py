"""``doorward attempts``: how far clients got on their way in (A8)."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from doorward.cli.options import deployment, settings_of, with_core
from doorward.web.words import iso

if TYPE_CHECKING:
    from doorward.bootstrap.core import Core
    from doorward.dashboard.attempt_list import Row


@click.command(epilog="Example: doorward attempts --user ines@acme.example")
@click.option("--client", help="Only of clients whose id or name holds this.")
@click.option("--user", help="Only of this person, by e-mail address.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@deployment
def attempts(*, client: str | None, user: str | None, as_json: bool, config: Path | None, data: Path | None) -> None:
    """Show each attempt of a client to connect, newest first: its steps, where it stopped, why, and the way on."""

    async def use(core: "Core") -> "list[Row]":
        from doorward.authserver.attempts import of_all  # noqa: PLC0415  (loaded where it is used, as in with_core)
        from doorward.dashboard.attempt_list import described  # noqa: PLC0415

        now = core.now()
        return await core.database.read_long(lambda reader: [described(reader, each) for each in of_all(reader, now)])

    rows = [row for row in with_core(settings_of(config, data), use) if _wanted(row, client, user)]
    if as_json:
        print(json.dumps({"attempts": [_as_json(row) for row in rows]}))
        return
    for row in rows:
        _print(row)
    if not rows:
        print("No attempts.")


def _wanted(row: "Row", client: str | None, user: str | None) -> bool:
    named = f"{row.attempt.last('client_id')} {row.client}".casefold()
    email = "" if row.person is None else row.person.email
    return (client is None or client.casefold() in named) and (user is None or user.strip().casefold() == email)


def _print(row: "Row") -> None:
    attempt = row.attempt
    who = f", {row.person.email}" if row.person else ""
    print(f"{iso(attempt.began)}  {row.client}{who}: {row.title}")
    for seen, title in row.steps:
        marks = [seen.step.code or "", seen.step.path or "", "(likely)" if seen.likely else "", seen.step.request_id]
        print(f"  {iso(seen.step.at)}  {title}  {' '.join(filter(None, marks))}")
    if row.advice:
        print(f"  Cause: {row.advice.cause}\n  Fix: {row.advice.fix}")


def _as_json(row: "Row") -> dict[str, Any]:
    attempt = row.attempt
    about = (
        "client_id",
        "client_name",
        "redirect_uri",
        "user_id",
        "tenant_id",
        "connection_id",
        "path",
        "address",
        "agent",
    )
    return {
        "id": attempt.id,
        "began": iso(attempt.began),
        "state": attempt.state.value,
        "stopped_at": attempt.stopped_at.value if attempt.stopped_at else None,
        "code": attempt.code,
        "user": row.person.email if row.person else None,
        **{name: attempt.last(name) for name in about},
        "cause": row.advice.cause if row.advice else None,
        "fix": row.advice.fix if row.advice else None,
        "steps": [
            {
                "at": iso(each.step.at),
                "step": each.step.step.value,
                "code": each.step.code,
                "request_id": each.step.request_id,
                "likely": each.likely,
            }
            for each in attempt.seen
        ],
    }
