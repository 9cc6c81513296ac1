"""The benchmark's own arithmetic and its reading of HTTP: a wrong figure would be believed."""

import sqlite3
from pathlib import Path

import pytest
from bench.authserver_table import AuthReport, Subjects
from bench.own import OURS
from bench.saturate import Rate
from bench.subjects import AUTHLIB, OIDC_JWT, OIDC_OPAQUE

from bench import saturate, seed, wire
from doorward.model import (
    Client,
    ClientAuthMethod,
    ClientId,
    ClientKind,
    Instant,
    Server,
    ServerId,
    Tenant,
    TenantId,
    User,
    UserId,
)  # fmt: skip
from doorward.storage import accounts, clients, servers
from doorward.storage.database import Transaction
from doorward.storage.sqlite import open_file

PLAIN = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1; Path=/\r\nContent-Length: 5\r\nset-cookie: b=2\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 303 See Other\r\nTransfer-Encoding: chunked\r\nLocation: /x?code=c\r\n\r\n3\r\nabc\r\n2;q=1\r\nde\r\n0\r\n\r\n"


@pytest.mark.parametrize(("raw", "status", "body"), [(PLAIN, 200, b"hello"), (CHUNKED, 303, b"abcde")])
def test_an_answer_is_read_once_it_is_whole_and_what_follows_is_kept(raw: bytes, status: int, body: bytes) -> None:
    for cut in range(len(raw)):
        assert wire.parse(raw[:cut]) is None
    taken = wire.parse(raw + b"HTTP")
    assert taken is not None
    assert (taken[0].status, taken[0].body, taken[1]) == (status, body, b"HTTP")


def test_cookies_are_kept_and_taken_back_like_in_a_browser() -> None:
    taken = wire.parse(PLAIN)
    assert taken is not None
    cookies = {"c": "3"}
    wire.eat(cookies, taken[0])
    assert cookies == {"a": "1", "b": "2", "c": "3"}
    wire.eat(cookies, wire.Answer(200, b"HTTP/1.1 200 OK\r\nSet-Cookie: c=; Path=/", b""))
    assert cookies == {"a": "1", "b": "2"}
    assert b"Cookie: a=1; b=2\r\n" in wire.get("/", cookies)


def test_a_code_is_found_in_an_answer_only() -> None:
    assert wire.code_in("http://127.0.0.1:9/cb?state=s&code=abc") == "abc"
    assert wire.code_in("/consent?request=x") is None
    assert wire.path_of("http://h/a?b=c") == "/a?b=c"


def test_a_rate_is_of_the_time_taken_and_tells_server_load_and_others_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    latencies = [each / 1000 for each in range(100, 0, -1)]
    found = saturate.rate(latencies, 2.0, used=0.5, loaded=0.3, ticks=(400, 200))
    assert found.per_second == 50
    assert (round(found.p50_ms), round(found.p99_ms)) == (51, 100)
    assert found.cpu_us == pytest.approx(5000)
    assert found.load == pytest.approx(0.15)
    assert found.others == pytest.approx(0.5 - 0.8 / 2 / 2)


def _rates(per_second: float, *kinds: str) -> dict[str, Rate]:
    return {kind: Rate(per_second, 1.0, 2.0, 1e6 / per_second, 0.1, 0.0) for kind in kinds}


def _report() -> AuthReport:
    report = AuthReport("machine", 3, 3, million=10)
    report.rates = {
        OURS: _rates(700, *saturate.KINDS),
        OIDC_JWT: _rates(1000, "client_credentials", "rotation", "flow"),
        OIDC_OPAQUE: _rates(1500, *saturate.KINDS),
    }
    report.subjects = {name: Subjects(remark="", cold_s=0.5, idle_mb=90, loaded_mb=170) for name in report.rates}
    report.seeded, report.alone_p99_ms, report.beside_p99_ms = {"rotation": 0.95}, 2.0, 3.0
    return report


def test_each_figure_is_held_against_its_peer_and_what_has_no_peer_is_left_out() -> None:
    found = {target.what: target for target in _report().targets()}
    assert found[f"client credentials ÷ {OIDC_JWT}"].met
    assert found[f"introspection ÷ {OIDC_OPAQUE}"].value == pytest.approx(700 / 1500)
    assert not found[f"introspection ÷ {OIDC_OPAQUE}"].met
    assert found[f"refresh rotation ÷ {OIDC_JWT}"].by_processor == pytest.approx(0.7)
    assert found["token endpoint's p99 beside 20 queued sign-ins ÷ without"].value == pytest.approx(1.5)
    assert not found["resident memory after the load"].met
    assert not [what for what in found if AUTHLIB in what]


def test_the_table_says_what_was_missed_and_skipped() -> None:
    report = _report()
    report.missing = ["SKIPPED Authlib"]
    text = report.text()
    assert "SKIPPED Authlib" in text
    assert text.count("MISSED") == 2
    assert "NOISE" not in text


@pytest.mark.anyio
async def test_the_seed_adds_rows_and_leaves_the_triggers_as_they_were(tmp_path: Path) -> None:
    file = tmp_path / "doorward-data" / "doorward.db"
    database = open_file(file, create=True)
    await database.write(_one_of_each)
    await database.close()
    triggers = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name"
    with sqlite3.connect(file) as connection:
        before = connection.execute(triggers).fetchall()
    seed.fill(tmp_path, 25)
    with sqlite3.connect(file) as connection:
        assert before == connection.execute(triggers).fetchall() != []
        for table in ("connections", "refresh_tokens", "api_keys"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (25,)
    connection.close()


def _one_of_each(tx: Transaction) -> None:
    now = Instant(1)
    accounts.insert_tenant(tx, Tenant(id=TenantId("t"), slug="t", name="T", created_at=now))
    accounts.insert_user(tx, User(id=UserId("u"), email="guest0@example.com", name="U", created_at=now), None)
    clients.insert_client(tx, CLIENT, canonical_key=None, secret_fingerprint=None)
    servers.put_server(tx, SERVER)


SERVER = Server(id=ServerId("s"), slug="s", name="S", paths=("/mcp",), upstream="http://127.0.0.1:9/mcp", rules=())
CLIENT = Client(
    id=ClientId("app"), kind=ClientKind.REGISTERED, name="App", redirect_uris=(), grant_types=frozenset(),
    auth_method=ClientAuthMethod.NONE, client_uri=None, metadata={}, created_at=Instant(1),
)  # fmt: skip
