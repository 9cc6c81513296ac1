"""``doorward explain``: why one call is allowed or denied, as if made now (feature D7)."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from doorward.cli.errors import CommandFailed
from doorward.cli.options import deployment, settings_of, with_core
from doorward.model import RuleKind
from doorward.policy.why import Explanation, Outcome

if TYPE_CHECKING:
    from doorward.bootstrap.core import Core
    from doorward.gateway.why import Asked
    from doorward.model import Instant
    from doorward.storage.database import Transaction
    from doorward.storage.events import CallEvent

_MARKS = {Outcome.PASS: "yes", Outcome.FAIL: "NO ", Outcome.SKIP: " - "}


@click.command(
    epilog="Example: doorward explain --user ines@acme.example --tenant acme --server docs --tool delete_page"
)
@click.option("--user", help="E-mail address of the person. Without a credential: as if everything were granted.")
@click.option("--tenant", help="Slug of the tenant.")
@click.option("--key", help="API key of the person: its id or the prefix that lists show.")
@click.option("--connection", help="Connection of the person, by its id.")
@click.option("--server", help="Slug of the server.")
@click.option("--tool", help="Name of a tool.")
@click.option("--resource", help="URI of a resource.")
@click.option("--prompt", help="Name of a prompt.")
@click.option("--arguments", help="What the tool or prompt is called with, as a JSON object.")
@click.option("--request", help="Explain a call of the log instead, by its request id; arguments are not logged.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@deployment
def explain(*, as_json: bool, config: Path | None, data: Path | None, **options: str | None) -> None:
    """Say why a call is allowed or denied. Calls nobody and changes nothing; the audit log tells that you asked."""
    from doorward.gateway.why import CannotExplain, described, explain_for  # noqa: PLC0415  (loaded when needed)

    asked_for, request = _given(options), options["request"]

    def work(tx: "Transaction", now: "Instant") -> "tuple[Asked, Explanation, CallEvent | None]":
        asked, call = (asked_for, None) if asked_for is not None else _logged(tx, request or "", options["arguments"])
        return asked, explain_for(tx, asked, actor_id=None, by="doorward explain", now=now, cause=None), call

    async def use(core: "Core") -> "tuple[Asked, Explanation, CallEvent | None]":
        now = core.now()
        return await core.database.write(lambda tx: work(tx, now))

    try:
        asked, explanation, call = with_core(settings_of(config, data), use)
    except CannotExplain as wrong:
        raise CommandFailed(f"{wrong}. Mend the option and ask again.") from wrong
    found = {**described(explanation, asked.kind), "logged": None if call is None else _call_words(call)}
    print(json.dumps(found) if as_json else _text(found))


def _given(options: dict[str, str | None]) -> "Asked | None":
    """Return what the options ask about; None where they name a request. Raises ``UsageError``."""
    from doorward.gateway.why import Asked  # noqa: PLC0415

    things = [(kind, options[kind.value]) for kind in RuleKind if options[kind.value] is not None]
    if options["request"] is not None:
        if things or any(options[name] for name in ("user", "tenant", "key", "connection", "server")):
            raise click.UsageError("--request stands alone; only --arguments may be added.")
        return None
    if len(things) != 1:
        raise click.UsageError("Name one of --tool, --resource and --prompt, or a --request.")
    if options["key"] is not None and options["connection"] is not None:
        raise click.UsageError("Name --key or --connection, not both.")
    kind, name = things[0]
    return Asked(
        tenant=_needed(options, "tenant"),
        email=_needed(options, "user"),
        server=_needed(options, "server"),
        kind=kind,
        name=name or "",
        arguments=_arguments(options["arguments"]),
        key=options["key"],
        connection=options["connection"],
    )


def _needed(options: dict[str, str | None], name: str) -> str:
    value = options[name]
    if value is None:
        raise click.UsageError(f"Missing option '--{name}'.")
    return value


def _arguments(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    from doorward.gateway.why import arguments_of  # noqa: PLC0415

    try:
        return arguments_of(text)
    except ValueError as wrong:
        raise click.UsageError(f"--arguments {wrong}.") from wrong


def _logged(tx: "Transaction", request: str, arguments: str | None) -> "tuple[Asked, CallEvent]":
    from doorward.gateway.why import asked_before  # noqa: PLC0415

    return asked_before(tx, request, _arguments(arguments))


def _call_words(call: "CallEvent") -> dict[str, object]:
    return {"at": call.at, "method": call.method, "name": call.name, "decision": call.decision, "reason": call.reason}


def _text(found: dict[str, Any]) -> str:
    lines = [found["summary"], ""]
    if found["logged"] is not None:
        logged = found["logged"]
        lines[:0] = [f"Logged: {logged['method']} {logged['name']}: {logged['decision']} ({logged['reason']}). Now:"]
    for number, step in enumerate(found["steps"], 1):
        lines += [f"{number}. [{_MARKS[Outcome(step['outcome'])]}] {step['title']}", f"         {step['detail']}"]
    lines += ["", f"The caller is told: {found['told']}"]
    return "\n".join([*lines, *([f"To allow it: {found['remedy']}"] if found["remedy"] else [])])
