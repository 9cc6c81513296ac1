"""Storage that gives out, clocks that jump, errors that nobody foresaw, and what stands open (security group N)."""

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import httpx2
import psycopg
import pytest
from tests.clients import deployment as whole
from tests.clients.by_hand import Agent, Reader, asked, tools
from tests.clients.deployment import EMAIL, SERVER, Deployment, apply

from doorward.bootstrap.core import open_core
from doorward.bootstrap.program import build
from doorward.settings import Settings
from doorward.storage import group_commit

pytestmark = pytest.mark.anyio
HOUR = 3600
BOTH = {"echo", "write_note"}


async def connected(deployment: Deployment) -> tuple[Agent, dict[str, str]]:
    agent = Agent(deployment)
    return agent, await agent.connect(Reader(deployment))


def refused(answer: httpx2.Response) -> None:
    """Expect what a client may try again, and nothing that could be a token."""
    assert answer.status_code == 503, answer.text
    assert answer.json()["error"] == "temporarily_unavailable"
    assert answer.headers["retry-after"]
    assert "token" not in set(answer.json())


@contextmanager
def locked(deployment: Deployment) -> Iterator[None]:
    with closing(sqlite3.connect(deployment.data / "doorward.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def read_only(deployment: Deployment) -> Iterator[None]:
    connection = deployment.core.database._writer._connection  # type: ignore[attr-defined]
    connection.execute("PRAGMA query_only=ON")
    yield
    connection.execute("PRAGMA query_only=OFF")


@pytest.mark.parametrize("trouble", [locked, read_only], ids=["locked", "read only"])
async def test_N8_a_file_that_cannot_be_written_gives_no_token_and_loses_none(
    deployment: Deployment, trouble: Callable[[Deployment], Iterator[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "LOCKED_SECONDS", 0.05)
    agent, given = await connected(deployment)
    second = Agent(deployment, "another")
    await second.register()
    told = await Reader(deployment).opens(second.url())
    with trouble(deployment):  # type: ignore[attr-defined]
        refused(await agent.refresh(given["refresh_token"]))
        refused(await second.redeem(told["code"]))
        body = {"client_name": "new", "redirect_uris": ["http://127.0.0.1/cb"]}
        refused(await agent.post("/oauth/clients/register", json=body))
        # A revocation that is not stored is not told as done.
        revoke = {"token": given["refresh_token"], "client_id": agent.client_id}
        refused(await agent.post("/oauth/revoke", data=revoke))
    renewed = (await agent.refresh(given["refresh_token"])).json()
    assert await tools(deployment, renewed["access_token"]) == BOTH
    assert (await second.redeem(told["code"])).status_code == 200


async def test_N8_a_write_ahead_log_that_is_damaged_costs_nothing_that_was_checkpointed(
    deployment: Deployment, tmp_path: Path
) -> None:
    agent, given = await connected(deployment)
    await deployment.stop()
    log = deployment.data / "doorward.db-wal"
    log.write_bytes(b"\x37\x7f\x06\x82" + b"\xff" * 4096)
    await deployment.start()
    assert await tools(deployment, given["access_token"]) == BOTH
    renewed = (await agent.refresh(given["refresh_token"])).json()
    assert await tools(deployment, renewed["access_token"]) == BOTH


@pytest.fixture
async def on_postgresql(empty_schema: str, tmp_path: Path) -> AsyncIterator[Deployment]:
    """The deployment on PostgreSQL, with the honest MCP server behind it."""
    upstream = whole.Recorder()
    upstream.answer = whole.both_eras
    await upstream.start()
    settings = Settings()
    settings = replace(settings, data_dir=tmp_path / "data", database=replace(settings.database, url=empty_schema))
    core = await open_core(settings, create=True)
    await apply(core, whole.DOCUMENT | {"servers": [SERVER | {"upstream": upstream.url}]})
    found = Deployment(tmp_path / "data", upstream)
    found.core = replace(core, now=found.clock)
    found.app = await build(found.core)
    await found.app.start()
    try:
        yield found
    finally:
        await found.stop()
        await upstream.stop()


DIES = """
CREATE FUNCTION dies() RETURNS trigger AS $$
BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END
$$ LANGUAGE plpgsql
"""


@pytest.mark.parametrize("event", ["BEFORE INSERT", "BEFORE UPDATE", "AFTER INSERT"])
async def test_N9_a_database_that_dies_in_the_middle_of_a_rotation_ends_nothing(
    on_postgresql: Deployment, empty_schema: str, event: str
) -> None:
    agent, given = await connected(on_postgresql)
    url, _, schema = empty_schema.partition("?search_path=")
    with psycopg.connect(url, autocommit=True, options=f"-c search_path={schema}") as operator:
        operator.execute(DIES)  # type: ignore[arg-type]
        operator.execute(f"CREATE TRIGGER dies {event} ON refresh_tokens FOR EACH ROW EXECUTE FUNCTION dies()")  # type: ignore[arg-type]
        refused(await agent.refresh(given["refresh_token"]))
        operator.execute("DROP TRIGGER dies ON refresh_tokens")
    assert await tools(on_postgresql, given["access_token"]) == BOTH
    again = await agent.refresh(given["refresh_token"])
    assert again.status_code == 200, again.text
    assert await tools(on_postgresql, again.json()["access_token"]) == BOTH


@pytest.mark.parametrize("jump", [-HOUR, HOUR, 1, -30], ids=["an hour back", "an hour on", "a leap second", "skew"])
async def test_N10_a_clock_that_jumps_revives_nothing_that_was_used_or_taken_away(
    deployment: Deployment, jump: int
) -> None:
    agent, given = await connected(deployment)
    gone, ended = await connected(deployment)
    ends = {"token": ended["refresh_token"], "client_id": gone.client_id}
    assert (await gone.post("/oauth/revoke", data=ends)).status_code == 200
    third = Agent(deployment, "third")
    await third.register()
    told = await Reader(deployment).opens(third.url())
    assert (await third.redeem(told["code"])).status_code == 200
    key = await deployment.key()
    deployment.clock.ahead = jump
    await deployment.restart()
    assert (await asked(deployment, ended["access_token"], "tools/list")).status_code == 401
    assert (await gone.refresh(ended["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await third.redeem(told["code"])).json()["error"] == "invalid_grant"
    if jump < -30:
        # What was given in what is the future now is good for nothing until then.
        for token in (key, given["access_token"]):
            assert (await asked(deployment, token, "tools/list")).status_code == 401
        deployment.clock.ahead = 0
        await deployment.restart()
    # What nobody took away goes on, at the latest with a new token.
    assert await tools(deployment, key) == BOTH
    renewed = (await agent.refresh(given["refresh_token"])).json()
    assert await tools(deployment, renewed["access_token"]) == BOTH


async def test_N6_tokens_and_data_of_another_deployment_are_of_no_use(deployment: Deployment, tmp_path: Path) -> None:
    _, given = await connected(deployment)
    await deployment.stop()
    # The same data under another address, as when production is copied to staging.
    core = await open_core(_elsewhere(deployment.data), create=False)
    deployment.core = replace(core, now=deployment.clock)
    deployment.app = await build(deployment.core)
    await deployment.app.start()
    transport = httpx2.ASGITransport(app=deployment.app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:9999") as http:
        headers = {"authorization": f"Bearer {given['access_token']}", "accept": "application/json, text/event-stream"}
        answer = await http.post("/mcp", json={"jsonrpc": "2.0", "method": "tools/list", "id": 1}, headers=headers)
    assert answer.status_code == 401


def _elsewhere(data: Path) -> Settings:
    settings = Settings()
    return replace(settings, data_dir=data, server=replace(settings.server, public_url="http://127.0.0.1:9999"))


async def test_N12_an_error_that_nobody_foresaw_quotes_no_secret(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    agent, given = await connected(deployment)
    told = await Reader(deployment).opens(agent.url())
    verifier = "s3cret-verifier-" + "x" * 40

    def fails(*args: object, **more: object) -> object:
        # The worst that can be raised: its message and its locals hold all that was sent.
        raise RuntimeError(f"{args!r} {more!r} {given['refresh_token']} {told['code']} {verifier}")

    for name in ("redeem", "refresh"):
        _break(monkeypatch, name, fails)
    async with deployment.client() as http:
        transport = httpx2.ASGITransport(app=deployment.app, raise_app_exceptions=False)
        http._transport = transport
        form = {"grant_type": "refresh_token", "refresh_token": given["refresh_token"], "client_id": agent.client_id}
        first = await http.post("/token", data=form)
        form = {
            "grant_type": "authorization_code", "code": told["code"], "client_id": agent.client_id,
            "redirect_uri": "http://localhost:3000/callback", "code_verifier": verifier,
        }  # fmt: skip
        second = await http.post("/token", data=form)
    said = capfd.readouterr()
    for answer in (first, second):
        assert answer.status_code == 500
        assert answer.json()["error"] == "server_error"
        assert "RuntimeError" not in answer.text
    assert "unexpected" in said.out + said.err
    for text in (said.out, said.err, first.text, second.text):
        for secret in (given["refresh_token"], told["code"], verifier, given["access_token"]):
            assert secret not in text
            assert secret[10:] not in text


def _break(monkeypatch: pytest.MonkeyPatch, name: str, fails: Callable[..., object]) -> None:
    from doorward.authserver.grants import authorization_code, refresh_token  # noqa: PLC0415

    module = {"redeem": authorization_code, "refresh": refresh_token}[name]
    for each in [
        each for each in vars(module).values() if callable(each) and getattr(each, "__module__", "") == module.__name__
    ]:
        if not isinstance(each, type):
            monkeypatch.setattr(module, each.__name__, fails)


INSIDE = [
    "/metrics", "/docs", "/redoc", "/openapi.json", "/debug", "/debug/pprof", "/debug/vars", "/server-status", "/.env",
    "/.git/config", "/doorward.key", "/doorward.db", "/static/../doorward.key", "/static/%2e%2e/doorward.key", "/admin",
    "/actuator/env", "/console", "/_debug", "/trace",
]  # fmt: skip


@pytest.mark.parametrize("path", INSIDE)
async def test_N16_nothing_of_the_inside_stands_open(deployment: Deployment, path: str) -> None:
    async with deployment.client() as http:
        for method in ("GET", "POST"):
            answer = await http.request(method, path)
            assert answer.status_code in {401, 403, 404, 405}, path
            for inside in ("Traceback", "site-packages", "/src/doorward", "SELECT ", str(deployment.data), EMAIL):
                assert inside not in answer.text
