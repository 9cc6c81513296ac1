"""The doctor has nothing to say about our own server."""

import pytest
from tests.clients.deployment import MCP, Deployment
from tests.clients.replay import Human
from tests.doctor.asgi_wire import AsgiWire

from doorward.doctor.examine import examine
from doorward.doctor.record import Status
from doorward.doctor.report import as_text
from doorward.doctor.visit import Options
from doorward.doctor.wire import Network
from doorward.storage import events

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("A7")]
ACME = MCP.replace("/mcp", "/acme/mcp")
HERE = Network(addresses=("127.0.0.1",), loopback=True, private=True)


def somebody(deployment: Deployment):  # noqa: ANN201
    async def person(url: str, *, deny: bool) -> str:
        async with deployment.client() as browser:
            return await Human(browser, deny=deny).open(url)

    return person


@pytest.mark.parametrize("url", [MCP, ACME])
async def test_it_is_silent_on_ours_with_somebody_who_signs_in(deployment: Deployment, url: str) -> None:
    options = Options(person=somebody(deployment), scope="documents:read", call="write_note")
    report = await examine(url, AsgiWire(deployment.app, HERE), options)
    assert [each for result in report.results for each in result.findings] == [], as_text(report)
    assert {result.check.id for result in report.results if result.status is Status.SKIP} == {"network"}


async def test_without_anybody_it_says_what_it_left_out(deployment: Deployment) -> None:
    report = await examine(MCP, AsgiWire(deployment.app, HERE))
    assert report.count(Status.WARN) == report.count(Status.FAIL) == 0, as_text(report)
    skipped = {result.check.id: result.skipped for result in report.results if result.status is Status.SKIP}
    assert skipped.keys() == {"network", "code", "refresh", "scope"}
    assert all("--" in skipped[name] for name in ("code", "refresh", "scope"))


@pytest.mark.requirement("clients/U6")
async def test_what_it_found_is_looked_up_by_the_request_id_that_it_prints(deployment: Deployment) -> None:
    options = Options(person=somebody(deployment), call="echo")
    report = await examine(MCP, AsgiWire(deployment.app, HERE), options)
    [finding] = [each for result in report.results for each in result.findings]
    assert finding.what == "a call beyond the token does not say what is missing", "echo is allowed"
    assert f"doorward log {finding.request_id}" in as_text(report)
    await deployment.restart()  # what was collected beside the calls is written at the end
    calls = await deployment.core.database.read_long(lambda reader: events.calls_of_request(reader, finding.request_id))
    assert [call.method for call in calls] == ["tools/call"], calls
