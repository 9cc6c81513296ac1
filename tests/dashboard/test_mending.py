"""From a denial to where it is mended: the right page, for those who see it, with what was asked (D7)."""

import pytest
from tests.dashboard.test_why import asked

from doorward.dashboard.mending import CREDENTIAL, NEEDS_APPROVAL, Denied, mends
from doorward.dashboard.navigation import PAGES
from doorward.model import RuleKind
from doorward.policy.decide import DenialReason
from doorward.storage import permissions
from support.pages import CAROL, House
from support.rows import ACME, ALICE

pytestmark = pytest.mark.requirement("D7")
ASKED = Denied(
    tenant="acme", user_id="u/1", who="vera@acme.example", server="har&bour", kind="tool", name="delete document?"
)  # fmt: skip
EVERY = {
    "/settings/members",
    "/settings/roles",
    "/settings/servers",
    "/settings/apps",
    "/settings/keys",
    "/approvals",
    "/settings/credentials",
}


@pytest.mark.parametrize(
    ("reason", "first"),
    [
        (DenialReason.NO_RIGHT, "/settings/members/u%2F1?tenant=acme"),
        (DenialReason.NOT_HERE, "/settings/members/u%2F1?tenant=acme"),
        (DenialReason.NO_RULE, "/settings/server/har%26bour/tool?tenant=acme&name=delete+document%3F"),
        (DenialReason.OVERRIDE, "/settings/server/har%26bour/tool?tenant=acme&name=delete+document%3F"),
        (DenialReason.SERVER, "/settings/server/har%26bour/tool?tenant=acme&name=delete+document%3F"),
        (DenialReason.SCOPE, "/settings/credentials?tenant=acme"),
        (CREDENTIAL, "/settings/credentials?tenant=acme"),
        (NEEDS_APPROVAL, "/approvals"),
    ],
)
def test_each_reason_leads_to_the_page_where_it_is_changed(reason: str, first: str) -> None:
    found = mends(reason, ASKED, EVERY)
    assert found[0].href == first
    assert all(each.words for each in found)


def test_every_reason_that_there_is_leads_somewhere_and_a_call_that_is_allowed_nowhere() -> None:
    for reason in DenialReason:
        assert mends(reason, ASKED, EVERY), reason
    assert mends("", ASKED, EVERY) == []


def test_nothing_leads_where_the_reader_may_not_go() -> None:
    for reason in DenialReason:
        assert {each.page for each in mends(reason, ASKED, {"/settings/apps"})} <= {"/settings/apps"}
        assert mends(reason, ASKED, ()) == []


def test_somebody_unknown_and_what_is_no_tool_are_named_by_their_lists() -> None:
    nobody = Denied(tenant="acme", user_id="", who="x@y.z", server="s", kind=RuleKind.RESOURCE, name="a://b")
    assert mends(DenialReason.NO_RIGHT, nobody, EVERY)[0].href == "/settings/members?tenant=acme"
    assert mends(DenialReason.NO_RULE, nobody, EVERY)[0].href == "/settings/server/s?tenant=acme"


@pytest.mark.anyio
async def test_the_page_has_the_links_that_its_reader_sees_in_the_navigation(house: House) -> None:
    await house.change(lambda tx: permissions.set_membership(tx, ACME.id, CAROL.id, ("viewer",)))
    browser = house.browser()
    await browser.sign_in(ALICE)
    page = await asked(browser)
    here = {entry.path for _, entries in PAGES for entry in entries}
    for mend in mends(DenialReason.NO_RULE, ASKED, here):
        assert mend.page in page.text
    assert "To allow it" in page.text
