"""``doorward log``: all that is known of one request, by the id that its page, answer or header showed (A8)."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from doorward.cli.errors import CommandFailed
from doorward.cli.options import deployment, settings_of, with_core
from doorward.model import Instant
from doorward.protocol.faults import FAULTS
from doorward.storage import attempts, events, records
from doorward.storage.events import CallEvent
from doorward.web.words import iso

if TYPE_CHECKING:
    from doorward.bootstrap.core import Core
    from doorward.storage.database import Reader

_ID: Final = re.compile(r"req_[A-Za-z0-9_-]{1,64}")


@click.command(epilog="Example: doorward log req_7Q2fk0LmXc9a")
@click.argument("request_id", metavar="REQUEST_ID")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@deployment
def log(*, request_id: str, as_json: bool, config: Path | None, data: Path | None) -> None:
    """Show what a request did: its step of a connection attempt, the changes it made, its call of a tool."""
    if _ID.fullmatch(request_id) is None:
        raise CommandFailed("not a request id. It begins with req_; pages show it, answers carry it in X-Request-Id.")

    async def use(core: "Core") -> list[dict[str, Any]]:
        return await core.database.read_long(lambda reader: _found(reader, request_id))

    found = with_core(settings_of(config, data), use)
    if as_json:
        print(json.dumps({"request_id": request_id, "found": found}))
        return
    if not found:
        raise CommandFailed(
            "nothing is kept of this request. The server's own log has a line for each refusal; look for the id there."
        )
    for each in found:
        rest = " ".join(f"{name}={value}" for name, value in each.items() if name not in {"at", "kind"} and value)
        print(f"{iso(each['at'])}  {each['kind']}  {rest}")
        fault = FAULTS.get(each.get("code") or "")
        if fault is not None:
            print(f"  {fault.title}. {fault.cause}\n  Fix: {fault.fix}")


def _found(reader: "Reader", request_id: str) -> list[dict[str, Any]]:
    kinds = (
        ("attempt", attempts.steps_of_request(reader, request_id)),
        ("change", events.events_of_request(reader, request_id)),
        ("call", events.calls_of_request(reader, request_id)),
    )
    rows = [_row(kind, each) for kind, found in kinds for each in found]
    return sorted(rows, key=lambda row: Instant(row["at"]))


def _row(kind: str, record: Any) -> dict[str, Any]:
    given = record._asdict() if isinstance(record, CallEvent) else records.columns(record)
    columns = {name: value for name, value in given.items() if name not in {"id", "request_id"}}
    if "detail" in columns:
        columns["detail"] = dict(columns["detail"])
    return {"kind": kind, **columns}
