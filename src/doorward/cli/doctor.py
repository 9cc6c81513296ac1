"""``doorward doctor``: asks an MCP server, ours or not, what clients ask it, and says what would stop which (A7)."""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import click

from doorward.cli.errors import CommandFailed

if TYPE_CHECKING:
    from doorward.doctor.examine import Report
    from doorward.doctor.visit import Options

_FILE: Final = click.Path(dir_okay=False, path_type=Path)
NOT_EXAMINED: Final = 2
EXAMPLE: Final = """\b
Example:
  doorward doctor https://mcp.acme.example/mcp
  doorward doctor https://mcp.acme.example/mcp --client claude --junit doctor.xml
  doorward doctor https://mcp.acme.example/mcp --sign-in --scope documents:read --call delete_document
Exit code: 0 nothing failed, 1 something failed, 2 it could not be examined."""


@click.command(epilog=EXAMPLE)
@click.argument("url")
@click.option("--client", "clients", multiple=True, help="Only what this client would meet. Can be repeated.")
@click.option("--token-env", help="Environment variable with an access token or API key for the server.")
@click.option("--sign-in", is_flag=True, help="Sign in with your browser, to try tokens too.")
@click.option("--scope", help="What to ask for when signing in. Default: what the server offers.")
@click.option("--call", help="A tool that the token may not call: it is called, to see the refusal.")
@click.option("--no-register", is_flag=True, help="Register no client, and leave out what needs one.")
@click.option("--vendor-documents", is_flag=True, help="Fetch the vendors' metadata documents from here as well.")
@click.option("--strict", is_flag=True, help="Warnings count as failures.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--junit", type=_FILE, help="Write a JUnit file too.")
def doctor(  # noqa: PLR0913  (one parameter for each option)
    *, url: str, clients: tuple[str, ...], token_env: str | None, sign_in: bool, scope: str | None, call: str | None,
    no_register: bool, vendor_documents: bool, strict: bool, as_json: bool, junit: Path | None,
) -> None:  # fmt: skip
    """Examine the MCP server at URL. It registers test clients there; what can be taken back is."""
    from doorward.doctor import report as written  # noqa: PLC0415  (22 checks are loaded where they are made)
    from doorward.doctor.record import Status  # noqa: PLC0415
    from doorward.doctor.replays import names  # noqa: PLC0415
    from doorward.doctor.visit import Options  # noqa: PLC0415

    _check_url(url)
    for client in clients:
        if client not in names():
            raise CommandFailed(f"there is no client {client[:80]!r}. Known here: {', '.join(names())}.")
    options = Options(
        token=None if token_env is None else _token(token_env), call=call, scope=scope, register=not no_register,
        clients=frozenset(clients) or None, vendor_documents=vendor_documents,
    )  # fmt: skip
    report = asyncio.run(_examined(url, options, sign_in=sign_in))
    if junit is not None:
        junit.write_text(written.as_junit(report), encoding="utf-8")
    print(written.as_json(report) if as_json else written.as_text(report), end="\n" if as_json else "")
    failed = report.count(Status.FAIL) + (report.count(Status.WARN) if strict else 0)
    sys.exit(NOT_EXAMINED if not report.reached else int(failed > 0))


async def _examined(url: str, options: "Options", *, sign_in: bool) -> "Report":
    from doorward.bootstrap.core import clock  # noqa: PLC0415
    from doorward.cli.sign_in import waiting_for_answers  # noqa: PLC0415
    from doorward.doctor.examine import examine  # noqa: PLC0415
    from doorward.doctor.http_wire import HttpWire  # noqa: PLC0415
    from doorward.model import SECOND  # noqa: PLC0415

    def seconds() -> float:
        return clock() / SECOND

    wire = HttpWire(clock=seconds)
    if not sign_in:
        return await examine(url, wire, options)
    async with waiting_for_answers(_say(url)) as (redirect_uri, person):
        from dataclasses import replace  # noqa: PLC0415

        return await examine(url, wire, replace(options, person=person, redirect_uri=redirect_uri))


def _say(url: str) -> Callable[[str], None]:
    def say(address: str) -> None:
        click.echo(f"Sign in to {url} and approve: open this in your browser.\n\n  {address}\n", err=True)

    return say


def _check_url(url: str) -> None:
    try:
        parts, port = urlsplit(url), urlsplit(url).port
    except ValueError:
        parts, port = urlsplit(""), 0
    wrong = parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc or port == 0
    if wrong or parts.query or parts.fragment or not url.isascii() or not url.isprintable() or " " in url:
        raise click.BadParameter("write the URL of the MCP server, like https://mcp.acme.example/mcp", param_hint="URL")


def _token(variable: str) -> str:
    token = os.environ.get(variable, "").strip()
    if not token or not token.isascii() or not token.isprintable():
        raise CommandFailed(f"--token-env: the variable {variable[:80]!r} holds no token. Set it first.")
    return token
