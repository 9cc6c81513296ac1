"""The call log keeps what storage does not take, up to a limit, and never drops calls silently."""

import pytest
from structlog.testing import capture_logs

from doorward.audit import CallLog
from doorward.model import Instant, TenantId, UserId
from doorward.storage import events
from doorward.storage.database import Database
from doorward.storage.events import CallEvent

pytestmark = pytest.mark.anyio


def call(number: int) -> CallEvent:
    return CallEvent(
        at=Instant(number),
        tenant_id=TenantId("t1"),
        user_id=UserId("u1"),
        credential="api_key",
        credential_id="k1",
        client_id=None,
        server_id="s1",
        method="tools/call",
        name="echo",
        decision="allowed",
        reason="echo",
        status=200,
        duration_us=1,
        request_id=f"req_{number}",
    )


async def test_a_call_that_cannot_be_stored_does_not_keep_the_others_waiting(database: Database) -> None:
    log = CallLog(database)
    for number in range(7):
        log.add(call(number)._replace(name="\ud800") if number in {2, 6} else call(number))
    with capture_logs() as lines:
        await log.flush()
        await log.flush()
    assert lines == [{"event": "calls lost", "log_level": "error", "count": 2}]
    written = await database.read_long(lambda reader: events.recent_calls(reader, TenantId("t1"), 10))
    assert sorted(each.request_id for each in written) == [f"req_{number}" for number in (0, 1, 3, 4, 5)]


async def test_calls_beyond_the_limit_are_counted_in_the_log_and_the_rest_is_written(database: Database) -> None:
    log = CallLog(database, limit=2)
    for number in range(5):
        log.add(call(number))
    with capture_logs() as lines:
        await log.flush()
        await log.flush()
    assert lines == [{"event": "calls lost", "log_level": "error", "count": 3}]
    written = await database.read_long(lambda reader: events.recent_calls(reader, TenantId("t1"), 10))
    assert [each.request_id for each in written] == ["req_1", "req_0"]
