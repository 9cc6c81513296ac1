"""What is known of where clients stop: a cause and a fix for this client, else for any (A8). Data, with its sources."""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from doorward.clients import profiles


@dataclass(frozen=True, slots=True)
class Advice:
    """``known``: a known fault of this very client."""

    cause: str
    fix: str
    known: bool


def advice(
    *, stopped_at: str, code: str | None, redirect_uri: str | None, client_id: str | None, name: str | None
) -> Advice | None:
    """Return what is known of a client that stopped at a step, with the fault's code if it met one."""
    verified = profiles.verified(redirect_uri or "", client_id or "")
    for entry in _stops()["known"]:
        where = entry.get("stops_at", stopped_at) == stopped_at and entry.get("code") == code
        if where and _is(entry, None if verified is None else verified.vendor, name or ""):
            return Advice(entry["cause"], entry["fix"], known=True)
    if code is not None:
        return None
    found = next((entry for entry in _stops()["general"] if entry["stops_at"] == stopped_at), None)
    return None if found is None else Advice(found["cause"], found["fix"], known=False)


def _is(entry: dict[str, str], vendor: str | None, name: str) -> bool:
    if "vendor" in entry:
        return entry["vendor"] == vendor
    return name.startswith(entry["calls_itself"])


@cache
def _stops() -> Any:
    return json.loads(files("doorward.clients").joinpath("stops.json").read_text("utf-8"))
