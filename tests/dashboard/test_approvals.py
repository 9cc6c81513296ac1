"""The pages of approvals: who sees which call, what is shown of it, and that it is answered once."""

import re
from typing import Any

import httpx2
import pytest

from doorward.accounts.sessions import session_user
from doorward.model import Approvers, Permission
from doorward.storage import events, permissions
from support.asking import asked
from support.pages import CAROL, FINGERPRINTER, TERMS, Browser, House
from support.rows import ACME, ALICE, GLOBEX, HARBOUR

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("D8")]
PATH = "/approvals"
BY_OTHERS = Approvers(permissions=frozenset({Permission("approvals:decide")}), by_another=True)
WHAT = {"document_id": "doc-1", "why": "<script>alert(1)</script>", "dry": False}
MISSING = "ap_" + "A" * 22


async def ask(house: House, user: Any = ALICE, tenant: Any = ACME, arguments: Any = None, **more: Any) -> str:
    given = {"terms": TERMS, "now": house.clock(), "arguments": WHAT if arguments is None else arguments, **more}
    found = await house.change(lambda tx: asked(tx, user, tenant, HARBOUR, **given))
    return str(found)


async def signed_in(house: House, user: Any) -> Browser:
    browser = house.browser()
    await browser.sign_in(user)
    return browser


def form_of(page: httpx2.Response) -> str:
    found = re.search(r'name="form" value="([^"]+)"', page.text)
    assert found is not None
    return found[1]


async def answer(browser: Browser, approval_id: str, what: str = "approve", **more: Any) -> httpx2.Response:
    page = await browser.get(f"{PATH}/{approval_id}")
    return await browser.post(f"{PATH}/{approval_id}", {"form": form_of(page), "answer": what, **more})


async def test_the_person_sees_who_calls_what_with_which_arguments_and_approves_it(house: House) -> None:
    approval_id = await ask(house)
    browser = await signed_in(house, ALICE)
    assert f"{PATH}/{approval_id}" in (await browser.get(PATH)).text
    page = await browser.get(f"{PATH}/{approval_id}")
    for shown in (
        "Approve delete_document?", "ci &lt;b&gt;", "Harbour", "Acme", ALICE.email, "Deletes a document for ever.",
        "document_id", "doc-1", "&lt;script&gt;alert(1)&lt;/script&gt;", "false",
    ):  # fmt: skip
        assert shown in page.text, shown
    assert "<script>alert" not in page.text
    assert "form-action 'self'" in page.headers["content-security-policy"]
    done = await answer(browser, approval_id)
    assert (done.status_code, done.headers["location"]) == (303, f"{PATH}/{approval_id}")
    after = await browser.get(f"{PATH}/{approval_id}")
    assert "The app has to make the call again" in after.text
    assert 'name="answer"' not in after.text
    assert await ask(house) == "", "the same call passes"
    assert "and the call was made" in (await browser.get(f"{PATH}/{approval_id}")).text


async def test_no_stays_no(house: House) -> None:
    approval_id = await ask(house)
    browser = await signed_in(house, ALICE)
    page = await browser.get(f"{PATH}/{approval_id}")
    assert (await answer(browser, approval_id, "deny")).status_code == 303
    again = await browser.post(f"{PATH}/{approval_id}", {"form": form_of(page), "answer": "approve"})
    assert again.status_code == 409
    assert "DW-366" in again.text
    assert "Denied." in (await browser.get(f"{PATH}/{approval_id}")).text
    found = await house.database.read_long(lambda reader: events.recent_events(reader, ACME.id, 9))
    assert [event.name for event in found if event.subject == approval_id] == ["approval:denied", "approval:asked"]


async def test_a_form_answers_in_its_own_session_and_for_its_own_call(house: House) -> None:
    one, two = await ask(house), await ask(house, arguments={"document_id": "doc-2"})
    browser, other = await signed_in(house, ALICE), await signed_in(house, ALICE)
    form = form_of(await browser.get(f"{PATH}/{one}"))
    for where, what, given in (
        (browser, two, {"form": form, "answer": "approve"}), (other, one, {"form": form, "answer": "approve"}),
        (browser, one, {"form": "é", "answer": "approve"}), (browser, one, {"form": "", "answer": "approve"}), (browser, one, {"answer": "approve"}),
        (browser, one, {"form": form, "answer": "yes"}), (browser, one, {"form": form}),
        (browser, one, [("form", form), ("answer", "approve"), ("answer", "deny")]),
    ):  # fmt: skip
        assert (await where.post(f"{PATH}/{what}", given)).status_code == 400, given
    assert (
        await browser.post(f"{PATH}/{one}", {"form": form, "answer": "approve"}, site="cross-site")
    ).status_code == 403
    await browser.post("/sign-out", {})
    assert (await browser.post(f"{PATH}/{one}", {"form": form, "answer": "approve"})).status_code == 303
    assert await ask(house) == one, "still waiting"


async def test_M1_what_is_not_for_this_person_looks_like_what_is_not_there(house: House) -> None:
    approval_id = await ask(house)
    foreign = await ask(house, CAROL, GLOBEX)
    gone = house.browser()
    assert (await gone.get(f"{PATH}/{approval_id}")).headers[
        "location"
    ] == f"/sign-in?next=%2Fapprovals%2F{approval_id}"
    carol = await signed_in(house, CAROL)
    form = form_of(await carol.get(f"{PATH}/{foreign}"))
    alice = await signed_in(house, ALICE)
    missing = await alice.get(f"{PATH}/{MISSING}")
    for each in (foreign, "x", "ap_%00", "ap_" + "A" * 21 + "%0A"):
        page = await alice.get(f"{PATH}/{each}")
        assert page.status_code == missing.status_code == 404
        assert _without_id(page) == _without_id(missing)
    assert foreign not in (await alice.get(PATH)).text
    for each in (foreign, MISSING):
        assert (await alice.post(f"{PATH}/{each}", {"form": form, "answer": "approve"})).status_code in {400, 404}
    assert await ask(house, CAROL, GLOBEX) == foreign, "still waiting"


def _without_id(page: httpx2.Response) -> str:
    return re.sub(r"req_[A-Za-z0-9_-]+", "", page.text)


async def test_where_somebody_else_decides_the_asker_watches_and_they_decide(house: House) -> None:
    approval_id = await ask(house, CAROL, approvers=BY_OTHERS)
    carol, alice = await signed_in(house, CAROL), await signed_in(house, ALICE)
    watched = await carol.get(f"{PATH}/{approval_id}")
    assert "Somebody else who has approvals:decide" in watched.text
    assert 'name="answer"' not in watched.text
    assert "Somebody else decides" in (await carol.get(PATH)).text
    form = form_of(await alice.get(f"{PATH}/{approval_id}"))
    await house.change(lambda tx: permissions.set_membership(tx, ACME.id, ALICE.id, ("viewer",)))
    lost = await alice.post(f"{PATH}/{approval_id}", {"form": form, "answer": "approve"})
    assert lost.status_code == 404
    await house.change(lambda tx: permissions.set_membership(tx, ACME.id, ALICE.id, ("owner",)))
    assert (await answer(alice, approval_id)).status_code == 303
    assert "Decided by Alice" in (await carol.get(f"{PATH}/{approval_id}")).text


async def test_the_asker_cannot_decide_with_a_form_made_by_hand(house: House) -> None:
    """The form's value depends on session and call alone: it is the right that is asked for, not the form."""
    approval_id = await ask(house, CAROL)
    carol = await signed_in(house, CAROL)
    form = form_of(await carol.get(f"{PATH}/{approval_id}"))
    with_others = await ask(house, CAROL, arguments={"document_id": "doc-3"}, approvers=BY_OTHERS)
    assert (await carol.post(f"{PATH}/{with_others}", {"form": form, "answer": "approve"})).status_code == 400
    found = await house.database.read(
        lambda reader: session_user(reader, carol.session, fingerprinter=FINGERPRINTER, now=house.clock())
    )
    assert found is not None
    own = FINGERPRINTER.of(f"approval-form/{found[0].id}/{with_others}")
    refused = await carol.post(f"{PATH}/{with_others}", {"form": own, "answer": "approve"})
    assert refused.status_code == 403
    assert "DW-367" in refused.text


async def test_a_late_answer_is_none(house: House) -> None:
    approval_id = await ask(house)
    browser = await signed_in(house, ALICE)
    form = form_of(await browser.get(f"{PATH}/{approval_id}"))
    house.clock.forward(TERMS.seconds)
    late = await browser.post(f"{PATH}/{approval_id}", {"form": form, "answer": "approve"})
    assert late.status_code == 409
    assert "Nobody decided in time" in (await browser.get(f"{PATH}/{approval_id}")).text
    assert "Not in time" in (await browser.get(PATH)).text


async def test_long_arguments_are_cut_and_can_be_opened_whole(house: House) -> None:
    approval_id = await ask(house, arguments={"text": "a" * 5_000 + "\u202eb", "none": None})
    page = await (await signed_in(house, ALICE)).get(f"{PATH}/{approval_id}")
    assert "4407 more characters" in page.text
    assert "a" * 5_000 + "\\u202eb" in page.text
    assert "\u202e" not in page.text


async def test_a_disabled_person_decides_nothing(house: House) -> None:
    approval_id = await ask(house)
    browser = await signed_in(house, ALICE)
    form = form_of(await browser.get(f"{PATH}/{approval_id}"))
    await house.disable(ALICE)
    gone = await browser.post(f"{PATH}/{approval_id}", {"form": form, "answer": "approve"})
    assert gone.headers["location"].startswith("/sign-in")
