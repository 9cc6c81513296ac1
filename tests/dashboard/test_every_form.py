"""Every form of the settings keeps what was typed and says at the field what is wrong; and makes one thing, however often it comes.

The forms are those of the pages, found by following links; the routes that take forms say which of them there have to be.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import httpx2
import pytest
from tests.dashboard.furnished_town import BEHIND, Furnished, furnished_town

from doorward.storage import members, permissions
from support.pages import PASSWORD
from support.rows import ACME, ALICE
from support.web_page import WebForm, WebPage

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("M5")]
BELL = "a\x07bell"
"""What no name holds."""
NOBODY = "nobody@nowhere.test"

ELSEWHERE = {
    "/settings/attempts": "buttons",
    "/settings/clients/{client_id}/enable": "a button",
    "/settings/confirm": "asks for the proof; what waits is sealed on it (test_security)",
    "/settings/confirm/passkey": "asked by a script",
    "/settings/email/confirm": "a button, on the page of a mailed link",
    "/settings/resources/take-over": "a button",
    "/settings/security/passkeys/ask": "asked by a script",
    "/settings/upstreams/{tenant}/{server}/unlink": "a button",
}
"""Routes whose forms are on no page of this town, and hold nothing that is typed."""


class Wrong(NamedTuple):
    """A value that a field refuses, with what has to stand elsewhere in the form so that it counts."""

    value: str
    beside: Mapping[str, str | None] = {}


class Anything(NamedTuple):
    """Why a field refuses nothing that somebody can type."""

    why: str


DAY = {"expiry": "date"}
KEPT_SECRET = Anything("never shown again (M13); the page says so")
NUMBERS = {
    f"{who}_per_{what}": Wrong("-1") for who in ("credential", "user", "tool", "tenant") for what in ("minute", "day")
}
SERVER: dict[str, Wrong | Anything] = {
    "title": Wrong(BELL), "url": Wrong("ftp://wiki.example/mcp"), "header": Wrong("not a header", {"auth": "header"}),
    "secret": Wrong("", {"auth": "bearer"}),
}  # fmt: skip
APP: dict[str, Wrong | Anything] = {
    "name": Wrong(BELL),
    "jwks": Wrong("{", {"method": "private_key_jwt"}),
    "uris": Wrong("javascript:alert(1)"),
}

REFUSED: dict[str, dict[str, Wrong | Anything]] = {
    "/settings/apps/{connection_id}/rename": {"label": Wrong(BELL)},
    "/settings/clients": APP,
    "/settings/clients/{client_id}/change": APP,
    "/settings/email": {"email": Wrong("no address")},
    "/settings/invitations": {"email": Wrong("no address")},
    "/settings/keys": {
        "name": Wrong(BELL), "for_whom": Wrong(NOBODY), "until": Wrong("2020-01-01", DAY), "addresses": Wrong("nowhere"),
    },
    "/settings/keys/{key_id}/change": {"name": Wrong(BELL), "addresses": Wrong("nowhere")},
    "/settings/keys/{key_id}/rotate": {"until": Wrong("2020-01-01", DAY)},
    "/settings/members/service-accounts": {"name": Wrong(BELL)},
    "/settings/resources": {"type": Wrong("Not A Type"), "key": Wrong("not/a key"), "name": Wrong(BELL)},
    "/settings/resources/{node_id}/bind": {"email": Wrong(NOBODY)},
    "/settings/resources/{node_id}/rename": {"name": Wrong(BELL)},
    "/settings/roles/new": {"name": Wrong(BELL)},
    "/settings/roles/preview": {"name": Anything("it only shows what the role would give")},
    "/settings/security/passkeys": {"name": Anything("a name that cannot be used is replaced; the passkey counts")},
    "/settings/security/passkeys/{passkey_id}/rename": {"name": Wrong(BELL)},
    "/settings/security/password": {"new": Wrong("short"), "again": Wrong("the other one")},
    "/settings/server/{server}/change": SERVER,
    "/settings/server/{server}/overrides": {
        "match": Wrong(BELL), "requires": Wrong("no permission", {"effect": "require"}),
        "whom": Wrong(NOBODY, {"subject": "user"}),
    },
    "/settings/server/{server}/try": {
        "arguments": Wrong("{"), "arg.title": Anything("text"), "arg.region": Anything("text"), "arg.size": Wrong("large"), "arg.more": Wrong("{"),
    },
    "/settings/servers": {**SERVER, "name": Wrong("Not A Name")},
    "/settings/servers/test": {**SERVER, "name": Wrong("Not A Name")},
    "/settings/tenant/change": {"max_days": Wrong("0"), "name": Wrong(BELL), "access_ttl": Wrong("1"), **NUMBERS},
    "/settings/why": {
        "user": Wrong(NOBODY, {"key": "", "connection": ""}), "key": Wrong("dw_unknown"), "connection": Wrong("unknown"), "name": Wrong("x" * 2001),
        "arguments": Wrong("{"),
    },
}  # fmt: skip
"""By route and field."""

WELL = {
    "name": "night-watch", "title": "Night watch", "label": "the laptop", "email": "carol@acme.test", "uris": "https://a.example/cb",
    "addresses": "192.0.2.0/24", "type": "project", "key": "prj-42", "match": "shelve_*", "requires": "documents:read",
    "url": "http://127.0.0.1:9999/mcp", "header": "x-api-key", "secret": "not-shown-again", "arguments": '{"a": 1}',
    "arg.title": "A title", "arg.size": "12", "arg.more": "[1]", "max_days": "90", "access_ttl": "900",
    "new": "eleven quiet harbours", "again": "eleven quiet harbours", "user": "carol@acme.test", "until": "2029-01-31",
    **{name: str(number) for number, name in enumerate(NUMBERS, 100)},
}  # fmt: skip
"""What is typed into a field when another one is wrong. Fields that are not here stay empty."""
CHOSEN = {"method": "none", "auth": "identity", "tenant": "acme", "whose": "all", "account": ""}
"""What is chosen where the last choice would need more; elsewhere it is the last one."""


CREATES: dict[str, tuple[str, dict[str, str | None]]] = {
    "/settings/clients": ("clients", {"method": "client_secret_post", "jwks": ""}),
    "/settings/clients/{client_id}/secrets": ("client_secrets", {}),
    "/settings/email": ("links", {"email": "alice@elsewhere.test"}),
    "/settings/invitations": ("invitations", {"email": "frank@acme.test"}),
    "/settings/invitations/{invitation_id}": ("outgoing_mail", {"what": "resend"}),
    "/settings/keys": ("api_keys", {"for_whom": "", "client": ""}),
    "/settings/keys/{key_id}/rotate": ("api_keys", {"keep": "now", "expiry": "same"}),
    "/settings/members/service-accounts": ("users", {}),
    "/settings/resources": ("resources", {"name": "Atlas"}),
    "/settings/roles/new": ("roles", {}),
    "/settings/security/recovery-codes": ("recovery_codes", {}),
    "/settings/server/{server}/overrides": ("tool_overrides", {"subject": "role", "whom": "viewer", "effect": "deny"}),
    "/settings/servers": ("servers", {}),
}
"""Routes that make something or send it, with the table that it is in, and how their form is filled in."""
AT_ONCE = {"recovery_codes": 10}
MAKES_NOTHING = {
    "/approvals/{approval_id}": "answers once (test_approvals)",
    "/settings/apps/ask-again": "takes away",
    "/settings/apps/{connection_id}/disconnect": "takes away",
    "/settings/apps/{connection_id}/narrow": "takes away",
    "/settings/apps/{connection_id}/rename": "says how it is",
    "/settings/audit/export.jsonl": "looks",
    "/settings/clients/{client_id}/change": "says how it is",
    "/settings/clients/{client_id}/delete": "takes away",
    "/settings/clients/{client_id}/disable": "says how it is",
    "/settings/clients/{client_id}/secrets/{secret_id}/retire": "takes away",
    "/settings/credentials/{slug}/keys/{key_id}/disable": "says how it is",
    "/settings/credentials/{slug}/keys/{key_id}/enable": "says how it is",
    "/settings/credentials/{slug}/keys/{key_id}/revoke": "takes away",
    "/settings/keys/{key_id}/change": "says how it is",
    "/settings/keys/{key_id}/disable": "says how it is",
    "/settings/keys/{key_id}/enable": "says how it is",
    "/settings/keys/{key_id}/revoke": "takes away",
    "/settings/members/{user_id}/activate": "says how it is",
    "/settings/members/{user_id}/deactivate": "takes away",
    "/settings/members/{user_id}/delete": "takes away",
    "/settings/members/{user_id}/remove": "takes away",
    "/settings/members/{user_id}/roles": "says how it is",
    "/settings/notices/{notice_id}/read": "takes away",
    "/settings/profile/connect/{provider}": "goes elsewhere, and comes back once",
    "/settings/profile/disconnect": "takes away",
    "/settings/resources/{node_id}/bind": "says how it is",
    "/settings/resources/{node_id}/delete": "takes away",
    "/settings/resources/{node_id}/move": "says how it is",
    "/settings/resources/{node_id}/rename": "says how it is",
    "/settings/resources/{node_id}/unbind": "takes away",
    "/settings/roles/preview": "looks",
    "/settings/roles/{role_id}": "says how it is",
    "/settings/roles/{role_id}/delete": "takes away",
    "/settings/security/passkeys": "an answer to a challenge, which counts once (test_passkeys)",
    "/settings/security/passkeys/{passkey_id}/remove": "takes away",
    "/settings/security/passkeys/{passkey_id}/rename": "says how it is",
    "/settings/security/password": "says how it is",
    "/settings/security/sessions/end": "takes away",
    "/settings/security/sessions/{session_id}/end": "takes away",
    "/settings/server/{server}/change": "says how it is",
    "/settings/server/{server}/overrides/{override_id}/remove": "takes away",
    "/settings/server/{server}/remove": "takes away",
    "/settings/server/{server}/review": "says how it is",
    "/settings/server/{server}/status": "says how it is",
    "/settings/server/{server}/test": "looks",
    "/settings/server/{server}/try": "calls; see the test of its own",
    "/settings/servers/test": "looks",
    "/settings/tenant/change": "says how it is",
    "/settings/usage/export.csv": "looks",
    "/settings/why": "looks",
    "/upstreams/{server}/connect": "goes elsewhere, and comes back once",
}
"""Routes whose forms may come twice, each with why."""
NOT_WHAT_IS_MADE = {
    "api_answers", "attempt_steps", "audit_events", "call_events", "claimed_requests", "credential_days", "mail_budgets",
    "revisions", "sessions", "sign_in_failures", "usage_hours", "usage_mark", "usage_sums",
}  # fmt: skip
"""Tables of what happened, and of who is there."""


@pytest.fixture
async def town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Furnished]:
    async with furnished_town(tmp_path, monkeypatch) as furnished:
        yield furnished


def taking_forms(town: Furnished) -> set[str]:
    return {each.path for each in town.routes if "POST" in (each.methods or ()) and each.path.startswith(BEHIND)}


async def test_every_form_is_found_on_a_page_or_says_why_not(town: Furnished) -> None:
    found = {pattern for pattern, _ in await town.forms()}
    assert taking_forms(town) - ELSEWHERE.keys() == found
    assert not ELSEWHERE.keys() & found, "an exception that is none any more"
    assert ELSEWHERE.keys() <= taking_forms(town)


def filled(form: WebForm, changed: Mapping[str, str | None]) -> list[tuple[str, str]]:
    """Return what a browser sends when each field has something in it, and each box and choice is another than at first."""
    values = {each.name: WELL.get(each.name, "") for each in form.typed}
    for each in form.controls:
        if each.tag == "select" and each.name:
            values[each.name] = CHOSEN.get(each.name, each.options[-1])
        elif each.type == "radio" and "disabled" not in each.attributes:
            values[each.name] = CHOSEN.get(each.name, each.value)
    boxes = [
        (each.name, each.value)
        for each in form.controls
        if each.type == "checkbox" and "disabled" not in each.attributes
    ]
    names = {name for name, _ in boxes}
    return [*(pair for pair in form.sent({**values, **changed}) if pair[0] not in names), *boxes]


def wrongs(form: WebForm, wanted: Mapping[str, Wrong | Anything]) -> list[tuple[str, Wrong]]:
    return [
        (name, each)
        for name, each in wanted.items()
        if isinstance(each, Wrong) and any(c.name == name for c in form.typed)
    ]


def complaints(form: WebForm, name: str, sent: list[tuple[str, str]], answer: httpx2.Response) -> list[str]:
    """Return what is missing of: refused, said at its field, and all that was entered still there."""
    if not 400 <= answer.status_code < 500:
        return [f"answered {answer.status_code}"]
    page = WebPage(answer.text)
    try:
        again = next(each for each in page.forms if each.path in {form.path, *others(form)} and same(each, form))
    except StopIteration:
        return [
            f"the form is gone ({answer.status_code}): {' '.join(page.texts.get('main', answer.text[:300]).split())[:200]}"
        ]
    field = again.named(name)
    found = []
    said = [page.texts.get(each, "").strip() for each in field.describes() if each in page.alerts]
    if field.attributes.get("aria-invalid") != "true" or not any(said):
        found.append(f"not said at the field: {sorted(' '.join(page.texts[each].split()) for each in page.alerts)}")
    shown = [(each.name, each.value) for each in again.controls if each.is_sent]
    secret = {each.name for each in form.controls if each.type == "password"}
    fresh = {"shown_to", "form"}
    found += [f"lost: {pair}" for pair in sent if pair[0] not in secret | fresh and pair not in shown]
    found += [f"appeared: {pair}" for pair in shown if pair[0] not in secret | fresh and pair not in sent]
    found += [f"a secret is shown: {each.name}" for each in again.controls if each.name in secret and each.value]
    return found


def others(form: WebForm) -> set[str]:
    """Return where the same form goes by another button."""
    return {"/settings/servers"} if form.path == "/settings/servers/test" else set()


def same(one: WebForm, other: WebForm) -> bool:
    return {each.name for each in one.typed} == {each.name for each in other.typed}


async def test_each_typed_field_is_refused_at_its_place_and_everything_else_stays(town: Furnished) -> None:
    found = []
    for (pattern, _), (page, form) in (await town.forms()).items():
        wanted = REFUSED.get(pattern, {})
        assert {each.name for each in form.typed} <= wanted.keys(), (pattern, page)
        for name, wrong in wrongs(form, wanted):
            sent = filled(form, {**wrong.beside, name: wrong.value})
            town.whole.clock.forward(61)  # tests of servers are counted by the minute
            await town.browser.sign_in(ALICE)
            answer = await town.browser.post(form.path, sent)
            found += [f"{pattern} {name}: {each}" for each in complaints(form, name, sent, answer)]
    assert not found, "\n".join(found)


def tables(town: Furnished) -> dict[str, list[tuple[object, ...]]]:
    """Return all rows of all tables that hold what people make."""
    with closing(sqlite3.connect(town.whole.core.settings.data_dir / "doorward.db")) as connection:
        found = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            name: connection.execute(f"SELECT * FROM {name}").fetchall()
            for name in found
            if name not in NOT_WHAT_IS_MADE
        }


async def test_each_creating_form_makes_one_thing_however_often_it_comes(town: Furnished) -> None:
    found = await town.forms()
    assert {pattern for pattern, _ in found} == CREATES.keys() | MAKES_NOTHING.keys()
    assert not CREATES.keys() & MAKES_NOTHING.keys()
    for (pattern, _), (page, form) in found.items():
        if pattern not in CREATES:
            continue
        table, changed = CREATES[pattern]
        await town.browser.sign_in(ALICE)
        answer = await town.browser.get(page)
        shown = next(each for each in WebPage(answer.text).forms if each.path == form.path and same(each, form))
        sent = filled(shown, changed)
        before = tables(town)
        # A second click, and a second tab.
        answers = [*await asyncio.gather(*(town.browser.post(form.path, sent) for _ in range(2)))]
        first = tables(town)
        assert before[table] != first[table], (pattern, [WebPage(each.text).texts.get("main", "") for each in answers])
        assert len(first[table]) - len(before[table]) in {0, AT_ONCE.get(table, 1)}, pattern
        answers.append(await town.browser.post(form.path, sent))
        # And from another session of theirs.
        await town.browser.sign_in(ALICE)
        answers.append(await town.browser.post(form.path, sent))
        after = tables(town)
        assert [name for name in after if after[name] != first[name]] == [], pattern
        assert sorted(each.status_code < 400 for each in answers) == [False, False, False, True], (
            pattern, [each.status_code for each in answers],
        )  # fmt: skip
        assert all(each.status_code < 500 for each in answers), pattern


async def test_a_tool_is_called_once_by_one_form(town: Furnished) -> None:
    page = "/settings/server/acme_wiki/tool?tenant=acme&name=plain"
    form = WebPage((await town.browser.get(page)).text).form("/settings/server/acme_wiki/review")
    await town.browser.post(form.path, form.sent({"state": "allowed"}))
    form = WebPage((await town.browser.get(page)).text).form("/settings/server/acme_wiki/try")
    sent = filled(form, {})
    assert (await town.browser.post(form.path, sent)).status_code == 200
    assert town.upstream.seen().count("tools/call") == 1
    again = await town.browser.post(form.path, sent)
    assert again.status_code == 409
    assert "DW-459" in again.text
    assert page.replace("&", "&amp;") in again.text
    assert town.upstream.seen().count("tools/call") == 1
    assert (await town.browser.post(form.path, filled(form, {"arguments": '{"a": 2}'}))).status_code == 200
    assert town.upstream.seen().count("tools/call") == 2, "what was changed since is another form"


PATH = "/settings/members/service-accounts"


async def made(town: Furnished) -> int:
    return await town.whole.database.read_long(
        lambda reader: members.count_members(reader, ACME.id, text="night-watch")
    )


async def new_account(town: Furnished) -> list[tuple[str, str]]:
    answer = await town.browser.get("/settings/members?tenant=acme&kind=service")
    return filled(WebPage(answer.text).form(PATH), {})


async def test_what_waits_for_a_proof_in_two_tabs_is_done_once(town: Furnished) -> None:
    sent = await new_account(town)
    town.whole.clock.forward(3600)
    pages = [WebPage((await town.browser.post(PATH, sent)).text) for _ in range(2)]
    proofs = [page.form("/settings/confirm", "password").sent({"password": PASSWORD}) for page in pages]
    answers = [await town.browser.post("/settings/confirm", proof) for proof in proofs]
    assert [answer.status_code for answer in answers] == [303, 409]
    assert await made(town) == 1


async def test_what_was_done_is_not_done_again_by_the_page_that_kept_it(town: Furnished) -> None:
    sent = await new_account(town)
    stranger = town.whole.browser()
    kept = WebPage((await stranger.post(PATH, sent)).text).form(PATH, "kept")
    assert (await town.browser.post(PATH, sent)).status_code == 303
    again = await town.browser.post(PATH, kept.sent({}))
    assert again.status_code == 409
    assert "DW-459" in again.text
    assert await made(town) == 1


async def test_a_page_that_was_open_for_a_month_is_looked_at_first(town: Furnished) -> None:
    sent = await new_account(town)
    town.whole.clock.forward(30 * 86_400)
    await town.browser.sign_in(ALICE)
    asked = await town.browser.post(PATH, sent)
    assert asked.status_code == 409
    assert "DW-458" in asked.text
    assert await made(town) == 0
    form = WebPage(asked.text).form(PATH, "instead")
    assert (await town.browser.post(PATH, form.sent({"instead": form.named("instead").value}))).status_code == 303
    assert await made(town) == 1


async def test_what_was_refused_can_be_sent_again(town: Furnished) -> None:
    """A refusal claims nothing: the same form counts as soon as what stood in its way is gone."""
    sent = await new_account(town)
    await town.whole.change(lambda tx: permissions.set_membership(tx, ACME.id, ALICE.id, ("helper",)))
    assert (await town.browser.post(PATH, sent)).status_code in {403, 422}
    await town.whole.change(lambda tx: permissions.set_membership(tx, ACME.id, ALICE.id, ("owner",)))
    assert (await town.browser.post(PATH, sent)).status_code == 303
    assert await made(town) == 1
