"""Pages among ten thousand keys, a million security events and a million calls: each has to answer within 50 ms at p95.

Usage: ``python -m bench pages`` (or ``make bench BENCH=pages``). One process, SQLite in a file, the whole program behind its
ASGI interface; a few minutes, most of them to write the calls the way they are always written.
"""

import random
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import uvloop

from bench.deployment import TESTS
from bench.machine import describe
from doorward.dashboard.navigation import PAGES
from doorward.model import Client, ClientId, ClientKind, Instant, User, UserId
from doorward.server import settle
from doorward.storage import accounts, clients, events, permissions, usage
from doorward.storage.database import Database, Transaction
from doorward.storage.events import CallEvent
from doorward.storage.statements import Statement
from doorward.storage.usage import HOUR
from doorward.storage.usage_folding import fold
from doorward.watch.usage import RANGES

KEYS: Final = 10_000
ROWS: Final = 1_000_000
PEOPLE: Final = 500
DAYS: Final = 90
TOOLS: Final = tuple(f"tool_{number}" for number in range(40))
CLIENTS: Final = tuple(f"client-{number}" for number in range(12))
TIMES: Final = 60
TARGET_MS: Final = 50.0
BURST: Final = 4
CHUNK: Final = 2_000
_KEYS: Final = Statement(
    "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < :count - 1)"
    " INSERT INTO api_keys (id, tenant_id, user_id, created_by, name, prefix, last_four, fingerprint, scopes, networks,"
    " created_at) SELECT 'key' || i, :tenant, 'u-' || (i % :people), 'u-0', 'key ' || i, 'dw_key' || i, 'last',"
    " 'print-' || i, 'documents:read', '[]', :now - i FROM n"
)
_EVENTS: Final = Statement(
    "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < :count - 1)"
    " INSERT INTO audit_events (at, tenant_id, actor_id, name, subject, detail, request_id)"
    " SELECT :first + i * :step, :tenant, 'u-' || (i % :people), CASE WHEN i % 9 = 0 THEN 'session:refused' ELSE"
    " 'session:started' END, 'session-' || i, '{\"by\":\"page\"}', 'req_' || i FROM n"
)


@dataclass
class PagesReport:
    """Milliseconds of each page: p50, p95, and p95 of computing alone."""

    machine: str
    rows: int = ROWS
    filled_s: float = 0.0
    pages: dict[str, tuple[float, float, float]] = field(default_factory=dict)

    def slower(self) -> list[str]:
        """Return the pages that miss the target."""
        return [name for name, (_, p95, _) in self.pages.items() if p95 > TARGET_MS]

    def text(self) -> str:
        """Return the table."""
        head = f"{'milliseconds':<52}{'p50':>9}{'p95':>9}{'CPU p95':>10}"
        lines = [
            self.machine,
            f"{KEYS} keys, {self.rows} events, {self.rows} calls (written and folded in {self.filled_s:.0f} s)",
            "",
            head,
        ]
        lines += [f"{name:<52}{p50:>9.1f}{p95:>9.1f}{cpu:>10.1f}" for name, (p50, p95, cpu) in self.pages.items()]
        slow = self.slower()
        return "\n".join(
            [*lines, "", f"above {TARGET_MS:g} ms: {', '.join(slow)}" if slow else "all within the target"]
        )


def measure(rows: int = ROWS) -> PagesReport:
    """Fill a database with so many events and calls, and measure."""
    report = PagesReport(describe(), rows)
    with tempfile.TemporaryDirectory(prefix="doorward-bench-") as name:
        uvloop.run(_measured(Path(name), report))
    return report


async def _measured(folder: Path, report: PagesReport) -> None:
    sys.path.insert(0, str(TESTS))
    from support.rows import ACME, ALICE, NOW  # noqa: PLC0415
    from support.whole import opened_whole  # noqa: PLC0415

    async with opened_whole(folder) as whole:
        begun = time.perf_counter()
        await _fill(whole.database, ACME.id, NOW, report.rows)
        report.filled_s = time.perf_counter() - begun
        settle()  # as the server does before it listens
        browser = whole.browser()
        await browser.sign_in(ALICE)
        for name, path in paths().items():
            report.pages[name] = await _page(browser, path)


def paths() -> dict[str, str]:
    """Return every page of the navigation, and the ways to look at use and at the log that people take."""
    found = {entry.words: entry.path for _, entries in PAGES for entry in entries if not entry.accounts}
    log = "/settings/audit?tenant=acme"
    return found | _of_usage() | {
        "Audit log, calls": f"{log}&list=calls",
        "Audit log, calls denied": f"{log}&list=calls&decision=denied",
        "Audit log, calls of one tool": f"{log}&list=calls&tool=tool_3",
        "Audit log, calls of one app": f"{log}&list=calls&client=client-7",
        "Audit log, calls of one person": f"{log}&list=calls&user=u-7",
        "Audit log, calls of a key that seldom called": f"{log}&list=calls&key=key9990",
        "Audit log, calls, a word that is not there": f"{log}&list=calls&text=nowhere",
        "Audit log, calls two months ago": f"{log}&list=calls&until=2023-09-20",
        "Audit log, changes": log,
        "Audit log, changes, one event": f"{log}&event=session:refused",
        "Audit log, changes by one person": f"{log}&user=u-7",
        "Audit log, changes, a word that is not there": f"{log}&text=nowhere",
        "Audit log, changes two months ago": f"{log}&until=2023-09-20",
    }  # fmt: skip


def _of_usage() -> dict[str, str]:
    """Return use over every time, of all and of those who call most on each side, with every list in full."""
    use = "/settings/usage?tenant=acme"
    sides = {"tool": "tool_3", "client": "client-7", "user": "u-0", "key": "key0"}
    found: dict[str, str] = {}
    for days in RANGES:
        found[f"Usage, {days} days"] = f"{use}&days={days}"
        found |= {f"Usage, {days} days, by {kind}": f"{use}&days={days}&by={kind}" for kind in sides}
        found |= {f"Usage, {days} days, one {side}": f"{use}&days={days}&{side}={of}" for side, of in sides.items()}
    for side, of in sides.items():
        lists = (kind for kind in sides if kind != side)
        found |= {f"Usage, 90 days, one {side}, by {kind}": f"{use}&days=90&{side}={of}&by={kind}" for kind in lists}
    return found


async def _page(browser: Any, path: str) -> tuple[float, float, float]:
    took, computed = [], []
    for turn in range(TIMES + 5):
        begun, busy = time.perf_counter(), time.process_time()
        page = await browser.get(path)
        if turn >= 5:  # the first ones compile templates and statements
            took.append((time.perf_counter() - begun) * 1000)
            computed.append((time.process_time() - busy) * 1000)
        assert page.status_code == 200, (path, page.status_code, page.text[:500])
    took.sort()
    computed.sort()
    return took[len(took) // 2], took[int(len(took) * 0.95)], computed[int(len(computed) * 0.95)]


async def _fill(database: Database, tenant_id: Any, now: Instant, rows: int) -> None:
    def furnish(tx: Transaction) -> None:
        for number in range(PEOPLE):
            user_id = UserId(f"u-{number}")
            user = User(id=user_id, email=f"u{number}@acme.test", name=f"Person {number}", created_at=now)
            accounts.insert_user(tx, user, None)
            permissions.set_membership(tx, tenant_id, user_id, ("viewer",))
        for name in CLIENTS:
            client = Client(
                id=ClientId(name), kind=ClientKind.DYNAMIC, name=name, redirect_uris=("http://127.0.0.1/cb",),
                grant_types=frozenset({"authorization_code"}), created_at=now,
            )  # fmt: skip
            clients.insert_client(tx, client, canonical_key=name, secret_fingerprint=None)
        tx.run(_KEYS, {"count": KEYS, "tenant": tenant_id, "people": PEOPLE, "now": now})
        span = DAYS * 24 * HOUR
        said = {"first": now - span, "step": span // rows, "count": rows, "tenant": tenant_id, "people": PEOPLE}
        tx.run(_EVENTS, said)

    await database.write(furnish)
    made = _calls(tenant_id, now, rows)
    for _ in range(rows // CHUNK):
        chunk = [next(made) for _ in range(CHUNK)]

        def write(tx: Transaction, chunk: list[CallEvent] = chunk) -> None:
            events.insert_calls(tx, chunk)
            usage.count(tx, chunk)

        await database.write(write)
        await fold(database, chunk[-1].at)


def _calls(tenant_id: Any, now: Instant, rows: int) -> Any:
    """Yield calls in the order of time. A few keys make most of them, in short runs, as programs do."""
    chance = random.Random(5)
    weights = [1 / (rank + 1) for rank in range(KEYS)]
    span = DAYS * 24 * HOUR
    number = 0
    while True:
        key = chance.choices(range(KEYS), weights)[0] if chance.random() < 0.6 else None
        person, tools = chance.randrange(PEOPLE) if key is None else key % PEOPLE, chance.choices(TOOLS, k=2)
        for _ in range(BURST):
            at = now - span + (number * span) // rows
            number += 1
            yield CallEvent(
                at=Instant(at), tenant_id=tenant_id, user_id=UserId(f"u-{person}"),
                credential="access_token" if key is None else "api_key",
                credential_id=f"con_{person}" if key is None else f"key{key}",
                client_id=None if key is not None else CLIENTS[person % len(CLIENTS)], server_id="s-harbour",
                method="tools/call", name=tools[number % 2], decision="denied" if number % 97 == 0 else "allowed",
                reason="rule 3", status=200, duration_us=int(chance.lognormvariate(10, 1)), request_id=f"req_c{number}",
            )  # fmt: skip
