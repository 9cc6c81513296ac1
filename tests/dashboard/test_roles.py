"""The page of roles: what they give in words, made, changed and deleted there, never beyond one's own rights."""

import re

import pytest
from tests.dashboard.people import FOREIGN, HELPER, SCRIBE, Town, said

from doorward.accounts import roles
from doorward.model import Role
from doorward.storage import permissions
from support.pages import PASSWORD, filled, form_of
from support.rows import ACME, ALICE, BOB, VIEWER

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("F2")]
PATH = "/settings/roles"


async def role(town: Town, name: str) -> Role | None:
    found = await town.look(lambda reader: permissions.roles_of_tenant(reader, ACME.id))
    return next((each for each in found if each.name == name), None)


async def test_roles_are_listed_with_what_they_give_and_how_many_have_them(town: Town) -> None:
    page = said(await town.alice.get(PATH))
    assert "owner built in Do everything, and look after this tenant 2 Look owner" in page
    assert "helper Documents, this tenant 1 Change helper" in page
    assert page.count("built in") == 2


async def test_a_role_is_made_on_the_page_and_says_what_it_means(town: Town) -> None:
    page = await town.alice.get(f"{PATH}/new?tenant=acme")
    form = form_of(page, "permission")
    sent = [*filled(form, name="scribe-2"), ("permission", "documents:read"), ("permission", "documents:write")]
    looked = await town.alice.post(f"{PATH}/preview", [*sent, ("what", "preview")])
    assert looked.status_code == 200
    can, _, cannot = said(looked).partition("A person with this role")[2].partition(" cannot ")
    assert "Documents : Read documents. Rename and change documents" in can
    assert "Documents : Delete documents" in cannot
    assert 'value="scribe-2"' in looked.text
    assert await role(town, "scribe-2") is None, "looking makes nothing"
    done = await town.alice.post(form.action, sent)
    assert (done.status_code, done.headers["location"]) == (303, f"{PATH}?tenant=acme&done=made&name=scribe-2")
    assert "The role scribe-2 is made." in said(await town.alice.get(done.headers["location"]))
    made = await role(town, "scribe-2")
    assert made is not None
    assert made.permissions == ("documents:read", "documents:write")
    assert (await town.events())[0] == ("role:changed", "scribe-2")


async def test_bad_input_keeps_what_was_typed_and_says_at_the_field(town: Town) -> None:
    for name, why in (("No Name", "a letter first"), ("owner", "of this name already"), ("", "a letter first")):
        sent = [("tenant", "acme"), ("name", name), ("permission", "documents:write")]
        page = await town.alice.post(f"{PATH}/new", sent)
        assert page.status_code == 422
        assert why in page.text
        assert f'id="name" name="name" value="{name}"' in page.text
        assert re.search(r'value="documents:write" checked', page.text)
        assert re.search(
            r'<input[^>]+id="name"[^>]+aria-describedby="name-hint name-error"[^>]+aria-invalid', page.text, re.DOTALL
        )
    odd = await town.alice.post(f"{PATH}/new", [("tenant", "acme"), ("name", "x"), ("permission", "<i>:read")])
    assert odd.status_code == 422
    assert "<i>" not in odd.text
    assert "is no permission here" in odd.text
    twice = await town.alice.post(f"{PATH}/new", [("tenant", "acme"), ("name", "x"), ("name", "y")])
    assert twice.status_code == 400


async def test_a_change_waits_for_a_proof_and_is_done_once(town: Town) -> None:
    town.whole.clock.forward(3600)
    sent = [("tenant", "acme"), ("role", SCRIBE.id), ("name", "scribe"), ("permission", "documents:read")]
    asked = await town.alice.post(f"{PATH}/{SCRIBE.id}", sent)
    assert asked.status_code == 403
    assert "needed to change a role" in said(asked)
    kept = await role(town, "scribe")
    assert kept is not None
    assert kept.permissions == ("documents:write",)
    form = form_of(asked, "password")
    done = await town.alice.post(form.action, filled(form, password=PASSWORD))
    assert done.headers["location"] == f"{PATH}?tenant=acme&done=changed&name=scribe"
    changed = await role(town, "scribe")
    assert changed is not None
    assert changed.permissions == ("documents:read",)


async def test_what_is_built_in_or_beyond_oneself_is_only_looked_at(town: Town) -> None:
    built_in = await town.alice.get(f"{PATH}/r-owner?tenant=acme")
    assert "This role is built in" in built_in.text
    assert 'name="permission"' not in built_in.text
    beyond = await town.bob.get(f"{PATH}/{SCRIBE.id}")
    assert "may do more than you" in beyond.text
    assert 'name="permission"' not in beyond.text
    own = await town.bob.get(f"{PATH}/{HELPER.id}")
    box = re.search(r'value="documents:delete"([^>]*)>', own.text)
    assert box is not None
    assert "disabled" in box[1], "not his to give"


async def test_M3_the_page_gives_nobody_more_than_they_have(town: Town) -> None:
    more = await town.bob.post(f"{PATH}/new", [("tenant", "acme"), ("name", "mine"), ("permission", "*:*")])
    assert (more.status_code, "permissions-error" in more.text) == (403, True)
    raised = await town.bob.post(f"{PATH}/{HELPER.id}", [("tenant", "acme"), ("permission", "documents:delete")])
    assert raised.status_code == 403
    assert (await town.bob.post(f"{PATH}/{SCRIBE.id}/delete", [("tenant", "acme")])).status_code == 403
    for name in ("owner", "viewer"):
        path = f"{PATH}/{'r-owner' if name == 'owner' else VIEWER.id}"
        if name == "owner":
            assert (await town.alice.post(path, [("tenant", "acme")])).status_code == 409
    assert await role(town, "mine") is None
    unchanged = await role(town, "helper")
    assert unchanged is not None
    assert unchanged.permissions == ("documents:read", "members:manage")


async def test_a_role_in_use_says_who_has_it_and_moves_them_by_choice(town: Town) -> None:
    await town.whole.change(lambda tx: permissions.set_membership(tx, ACME.id, BOB.id, ("helper", "scribe")))
    path = f"{PATH}/{SCRIBE.id}/delete"
    page = await town.alice.get(f"{path}?tenant=acme")
    assert BOB.email in page.text
    refused = await town.alice.post(path, [("tenant", "acme"), ("name", "scribe"), ("move_to", "")])
    assert (refused.status_code, f"It is held by {BOB.email}." in refused.text) == (409, True)
    form = form_of(refused, "move_to")
    done = await town.alice.post(form.action, filled(form, move_to="viewer"))
    assert done.headers["location"] == f"{PATH}?tenant=acme&done=deleted&name=scribe"
    assert await role(town, "scribe") is None
    assert await town.roles(BOB) == (("helper", "viewer"), [])


async def test_M1_a_role_of_another_tenant_looks_like_none_at_every_address(town: Town) -> None:
    for path in ("{}", "{}/delete"):
        texts = set()
        for role_id in (FOREIGN.id, "nosuch"):
            page = await town.alice.get(f"{PATH}/{path.format(role_id)}?tenant=acme")
            sent = await town.alice.post(f"{PATH}/{path.format(role_id)}", [("tenant", "acme")])
            assert (page.status_code, sent.status_code) == (404, 404), path
            texts |= {re.sub(r"req_[\w-]+|\d\d:\d\d:\d\d", "", each.text) for each in (page, sent)}
        assert len(texts) == 1
    assert (await town.alice.get(f"{PATH}/{FOREIGN.id}?tenant=globex")).status_code == 403
    assert (await town.alice.get(f"{PATH}?tenant=globex")).status_code == 403
    assert (await town.alice.get(f"{PATH}?tenant=nosuch")).status_code == 403
    preview = await town.alice.post(f"{PATH}/preview", [("tenant", "acme"), ("role", FOREIGN.id)])
    assert preview.status_code == 404


async def test_who_may_not_look_after_members_sees_none_of_it(town: Town) -> None:
    await town.whole.change(lambda tx: permissions.set_membership(tx, ACME.id, BOB.id, ("viewer",)))
    assert (await town.bob.get(PATH)).status_code == 403
    assert (await town.bob.post(f"{PATH}/new", [("tenant", "acme"), ("name", "x")])).status_code == 403
    assert PATH not in (await town.bob.get("/settings/keys")).text
    gone = town.whole.browser()
    assert (await gone.get(PATH)).headers["location"] == "/sign-in?next=%2Fsettings%2Froles"
    late = await gone.post(f"{PATH}/preview", [("tenant", "acme"), ("name", "kept")])
    assert (late.status_code, "kept" in late.text) == (403, True), "what was typed is kept for after signing in"


async def test_what_a_role_holds_that_the_catalogue_has_not_is_kept_by_the_form(town: Town) -> None:
    await town.whole.change(
        lambda tx: permissions.put_role(
            tx, Role(id=SCRIBE.id, tenant_id=ACME.id, name="scribe", permissions=("gone:*",))
        )
    )
    page = await town.alice.get(f"{PATH}/{SCRIBE.id}?tenant=acme")
    form = form_of(page, "permission")
    assert ("permission", "gone:*") in filled(form)
    await town.alice.post(form.action, [*filled(form), ("permission", "documents:read")])
    found = await role(town, "scribe")
    assert found is not None
    assert found.permissions == ("documents:read", "gone:*")
    listed = await town.look(lambda reader: roles.listed(reader, ACME))
    assert ALICE.id
    assert {each.role.name for each in listed} == {"owner", "viewer", "helper", "scribe"}
