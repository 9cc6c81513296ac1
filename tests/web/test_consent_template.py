"""The markup of the consent page, for every kind of client that may ask."""

import re
from typing import Any

import pytest

from support.pages import House
from support.person import Page

pytestmark = pytest.mark.anyio


def scope(name: str, **more: bool) -> dict[str, Any]:
    usual = {"words": f"Use {name}", "destructive": False, "allowed": True, "ticked": True, "new": False}
    return {"name": name, **usual, **more}


def tenant(slug: str, *, selected: bool, roles: tuple[str, ...] = ("editor",)) -> dict[str, Any]:
    return {"slug": slug, "name": slug.title(), "role_names": list(roles), "selected": selected}


def shown(house: House, **change: Any) -> str:
    context = {
        "client": {"name": "Claude Code", "verified_host": "claude.ai", "client_uri_host": None, "id_host": None},
        "redirect": {"host": "localhost:52871", "is_loopback": True, "scheme": "http"},
        "device": None,
        "server_host_path": "mcp.acme.example/mcp",
        "user": {"name": "Ines", "email": "ines@acme.example", "initials": "I"},
        "tenants": [tenant("acme", selected=True)],
        "groups": [{"resource": "documents", "title": "Documents", "scopes": [scope("documents:read")]}],
        "request": "sealed",
        "switch_url": "/sign-in?switch=1",
        "lasts": {"token": "1 hour", "stay": "180 days"},
        "request_id": "req_x",
        "pinned_tenant": False,
        "message": None,
        "remember_days": None,
        "nothing": False,
        "only_signs_in": False,
        "within": None,
    }
    return bytes(house.pages.render("consent.html", may_leave=True, **(context | change)).body).decode()


def words(html: str) -> str:
    return " ".join(Page(html).text.split())


@pytest.mark.requirement("B10")
async def test_the_page_names_who_what_and_where_before_the_buttons(house: House) -> None:
    text = words(shown(house))
    parts = [
        "Let Claude Code into Acme?", "Verified: claude.ai", "mcp.acme.example/mcp", "localhost:52871", "on this computer",
        "Did you start this just now?", "ines@acme.example", "documents:read", "Deny", "Approve",
    ]  # fmt: skip
    assert [text.index(part) for part in parts] == sorted(text.index(part) for part in parts)


async def test_the_form_sends_the_request_the_tenant_the_scopes_and_the_answer_and_nothing_else(house: House) -> None:
    [form] = Page(shown(house)).forms
    assert (form.action, form.method) == ("/oauth/consent", "post")
    assert [(field.name, field.value) for field in form.fields] == [
        ("request", "sealed"),
        ("tenant", "acme"),
        ("scope", "documents:read"),
        ("answer", "deny"),
        ("answer", "approve"),
        ("answer", "show_url"),
    ]


@pytest.mark.requirement("B20")
async def test_an_unverified_name_stands_in_quotation_marks_and_gets_no_badge_of_trust(house: House) -> None:
    client = {"name": "Claude Code", "verified_host": None, "client_uri_host": "evil.example", "id_host": None}
    redirect = {"host": "app.example", "is_loopback": False, "scheme": "https"}
    html = shown(house, client=client, redirect=redirect)
    assert "Let “Claude Code” into Acme?" in words(html)
    assert "Not verified" in html
    assert "Do you know app.example?" in words(html)
    assert "badge ok" not in html


async def test_a_private_scheme_is_an_app_on_this_computer(house: House) -> None:
    text = words(shown(house, redirect={"host": "anysphere", "is_loopback": False, "scheme": "cursor"}))
    assert "cursor: links, an app on this computer" in text
    assert "Did you start this just now?" in text


async def test_what_the_person_may_not_do_cannot_be_ticked_and_what_destroys_is_marked(house: House) -> None:
    scopes = [
        scope("documents:write", allowed=False),
        scope("documents:delete", destructive=True, ticked=False),
        scope("documents:share", new=True),
    ]
    html = shown(house, groups=[{"resource": "documents", "title": "Documents", "scopes": scopes}])
    boxes = {field.value: (field.checked, field.disabled) for field in Page(html).forms[0].named("scope")}
    assert boxes == {
        "documents:write": (False, True),
        "documents:delete": (False, False),
        "documents:share": (True, False),
    }
    assert "your role does not allow it" in html
    assert "cannot be undone" in html
    assert '<span class="badge accent">new</span>' in html


async def test_several_tenants_are_chosen_among_also_without_a_script(house: House) -> None:
    several = [tenant("acme", selected=False), tenant("globex", selected=True, roles=())]
    html = shown(house, tenants=several)
    radios = Page(html).forms[0].named("tenant")
    assert [(radio.type, radio.value, radio.checked) for radio in radios] == [
        ("radio", "acme", False),
        ("radio", "globex", True),
    ]
    assert re.search(r"<noscript>.*value=\"show\">Show what this tenant allows</button>.*</noscript>", html, re.DOTALL)
    assert "Let Claude Code in?" in words(html)
    assert "You have no role here" in html
    assert "may, in Globex" in words(html)
    pinned = shown(house, tenants=several, pinned_tenant=True)
    assert [field.type for field in Page(pinned).forms[0].named("tenant")] == ["hidden"]


async def test_a_message_is_shown_where_the_choice_is(house: House) -> None:
    assert "Choose at least one permission" in shown(house, message="Choose at least one permission, or deny.")


async def test_M6_names_that_others_chose_are_text_and_short(house: House) -> None:
    evil = '"><script>alert(1)</script>' + "x" * 100
    client = {"name": evil, "verified_host": None, "client_uri_host": evil, "id_host": None}
    html = shown(house, client=client, tenants=[tenant("acme", selected=True) | {"name": evil}])
    assert "<script>alert" not in html
    assert "x" * 61 not in html


@pytest.mark.requirement("B16")
async def test_only_a_loopback_app_offers_to_show_the_address(house: House) -> None:
    [form] = Page(shown(house)).forms
    assert [button.value for button in form.named("answer")] == ["deny", "approve", "show_url"]
    for redirect in ({"host": "app.example", "is_loopback": False, "scheme": "https"},
                     {"host": "cursor:", "is_loopback": False, "scheme": "cursor"}):  # fmt: skip
        [form] = Page(shown(house, redirect=redirect)).forms
        assert [button.value for button in form.named("answer")] == ["deny", "approve"]


@pytest.mark.requirement("B16")
@pytest.mark.parametrize("same", [True, False])
async def test_C31_a_devices_question_shows_code_and_origin_and_warns(house: House, same: bool) -> None:
    device = {"code": "WDJB-MJHT", "asked_from": "203.0.113.7", "asked_at": 1_790_000_000_000_000, "same_network": same}
    client = {"name": "Harbour TV", "verified_host": None, "client_uri_host": "tv.example", "id_host": None}
    html = shown(house, device=device, redirect=None, client=client)
    text = words(html)
    parts = ["Let “Harbour TV” into Acme?", "Not verified", "the device that shows WDJB-MJHT", "Asked from 203.0.113.7",
             "Does your own device show WDJB-MJHT?", "deny", "documents:read", "Deny", "Approve"]  # fmt: skip
    assert [text.index(part) for part in parts] == sorted(text.index(part) for part in parts)
    assert ("not the network you are on" in text) is not same
    assert "show_url" not in html


@pytest.mark.requirement("C2")
@pytest.mark.parametrize(
    ("within", "says"),
    [(("Atlas", "<b>Borealis"), "Only in Atlas, <b>Borealis"), ((), "Only in nothing that is still there")],
)
async def test_what_a_client_is_limited_to_is_said(house: House, within: tuple[str, ...], says: str) -> None:
    assert "Only in" not in words(shown(house))
    assert says in words(shown(house, within=within))
