"""The use case of watching: that a server says another version of itself than before is an event."""

from typing import Final

from doorward import audit
from doorward.model import SECOND, Instant, Sighting
from doorward.storage import servers, sightings
from doorward.storage.database import Transaction
from doorward.storage.sightings import LastSeen

CALM: Final = 600 * SECOND
"""Between two changes of one server. Several copies of it that are renewed one by one must not fill the log."""


def sight(tx: Transaction, slug: str, sighting: Sighting, now: Instant) -> bool:
    """Take over what a server says of itself; False where that is not stored yet and is to be told again."""
    server = servers.server_by_slug(tx, slug)
    if server is None:
        return False
    was = sightings.last_seen(tx, server.id)
    if was is None:
        return sightings.add_sighting(tx, server.id, sighting, now)
    if was.sighting == sighting:
        return True
    if was.before is not None and now - was.since < CALM:
        return False
    before = in_words(was.sighting)
    if not sightings.change_sighting(tx, server.id, was, LastSeen(sighting=sighting, since=now, before=before)):
        return False
    detail = {"was": before, "now": in_words(sighting)}
    audit.record(tx, name="server:updated", at=now, subject=server.slug, detail=detail, cause=None)
    return True


def in_words(sighting: Sighting) -> str:
    """Return what a server says of itself, for people."""
    what = f"{sighting.name} {sighting.version}".strip() or "no name"
    return f"{what}, MCP {sighting.revision}"
