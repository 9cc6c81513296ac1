"""Who has only the request id of a refusal finds the exact reason by it: in the log, or in the record of calls."""

import pytest
from structlog.testing import capture_logs
from tests.gateway.world import FINGERPRINTER, World

from doorward.storage import api_keys

pytestmark = pytest.mark.anyio


async def test_a_credential_that_is_refused_leaves_its_reason_under_its_request_id(world: World) -> None:
    key = await world.key("bob")
    row = await world.database.read(lambda r: api_keys.api_key_by_fingerprint(r, FINGERPRINTER.of(key)))
    assert row is not None
    await world.database.write(lambda tx: api_keys.revoke_api_key(tx, row.tenant_id, row.id, world.clock()))
    with capture_logs() as lines:
        response = await world.call(key, "echo")
        missing = await world.post(None, {})
    revoked, none = lines
    assert revoked["request_id"] == response.headers["x-request-id"]
    assert (revoked["code"], revoked["log_level"], revoked["path"]) == ("DW-305", "info", "/mcp")
    assert "revoked" in revoked["reason"]
    assert key not in str(lines)
    assert (none["request_id"], none["reason"]) == (missing.headers["x-request-id"], "no credential")


async def test_a_denied_call_leaves_its_reason_in_the_record_of_calls(world: World) -> None:
    key = await world.key("bob")
    response = await world.call(key, "no_such_tool")
    (told,) = (call for call in world.calls if call.request_id == response.headers["x-request-id"])
    assert (told.decision, told.reason) == ("denied", "not offered")
