"""The page of members: who they are, what they hold, their roles, and how they leave."""

import re
from dataclasses import replace
from typing import Any

import pytest
from tests.dashboard.people import DORA, PROJECT, THEIRS, Town, said

from doorward.accounts import members
from doorward.model import Fingerprint, OwnerKind, Placement, Status, User, UserId
from doorward.storage import accounts, api_keys, clients, connections, credential_days, permissions
from doorward.storage.database import Transaction
from doorward.storage.housekeeping import DAY
from support.pages import CAROL, PASSWORD, ROBOT, filled, form_of
from support.rows import ACME, ALICE, BOB, CLIENT, CONNECTION, GLOBEX, KEY, NOW, without_membership

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("F2", "E2")]
PATH = "/settings/members"


def roles_form(*roles: str, places: Any = (), **more: str) -> list[tuple[str, str]]:
    return [
        ("tenant", "acme"), *(("role", each) for each in roles), *(("place", each) for each in places), *more.items(),
    ]  # fmt: skip


async def many_people(town: Town, count: int) -> None:
    def work(tx: Transaction) -> None:
        for number in range(count):
            user = User(
                id=UserId(f"u-{number}"), email=f"p{number:03}@many.test", name=f"Person {number}", created_at=NOW
            )
            accounts.insert_user(tx, user, None)
            permissions.set_membership(tx, ACME.id, user.id, ())

    await town.whole.change(work)


async def test_members_are_listed_with_roles_and_what_they_hold_here(town: Town) -> None:
    def hold(tx: Transaction) -> None:
        permissions.set_placements(tx, ACME.id, BOB.id, [Placement(role="scribe", resource_id=PROJECT.id)])
        used = replace(KEY, user_id=BOB.id, last_used_at=NOW)
        api_keys.insert_api_key(tx, used)
        api_keys.insert_api_key(tx, replace(used, id=type(KEY.id)("k-2"), fingerprint=Fingerprint("2"), revoked_at=NOW))
        elsewhere = replace(used, id=type(KEY.id)("k-3"), tenant_id=GLOBEX.id, fingerprint=Fingerprint("3"))
        api_keys.insert_api_key(tx, elsewhere)
        clients.insert_client(tx, CLIENT, canonical_key="c", secret_fingerprint=None)
        connections.insert_connection(tx, replace(CONNECTION, user_id=BOB.id, activated_at=NOW))
        credential_days.count_calls(tx, [(CONNECTION.id, NOW // DAY, 3, NOW)])

    await town.whole.change(hold)
    page = await town.alice.get(PATH)
    assert page.status_code == 200
    assert "Bob bob@acme.test helper scribe at project Atlas &lt;b&gt; just now 1 1 Change Bob" in said(page)
    assert "Robot service account robot@acme.test viewer Not known here 0 0" in said(page)
    assert DORA.email not in page.text
    assert "4 in all" in said(page)


async def test_E2_a_session_of_somebody_who_is_elsewhere_too_does_not_tell_when_they_were_active(town: Town) -> None:
    carol = town.whole.browser()
    await carol.sign_in(CAROL)
    page = said(await town.alice.get(f"{PATH}?q=carol"))
    assert "Carol Both carol@acme.test owner Not known here" in page
    await town.whole.change(lambda tx: without_membership(tx, GLOBEX.id, CAROL.id))
    assert "Carol Both carol@acme.test owner just now" in said(await town.alice.get(f"{PATH}?q=carol"))


async def test_members_are_found_and_paged_without_losing_anybody(town: Town) -> None:
    await many_people(town, 120)
    seen: list[str] = []
    path: str | None = f"{PATH}?tenant=acme&kind=people"
    while path is not None:
        page = await town.alice.get(path)
        found = re.findall(r"<small>(\S+@\S+)</small>", page.text)
        seen += [each for each in found if each != ALICE.email or "alice" not in seen]
        following = re.search(r'<a href="([^"]+)">More</a>', page.text)
        path = following[1].replace("&amp;", "&") if following else None
    everybody = {f"p{number:03}@many.test" for number in range(120)} | {ALICE.email, BOB.email, CAROL.email}
    assert set(seen) == everybody
    assert len([each for each in seen if each.startswith("p")]) == 120
    for text, count in (("P00", 10), ("person 11", 11), ("%", 0), ("_", 0), ("!", 0), ("'; --", 0), ("\u202e", 0)):
        page = await town.alice.get(PATH, params={"q": text, "tenant": "acme"})
        assert page.status_code == 200
        assert (f"{count} found" in said(page)) is (count > 0), text
    assert "1 found" in said(await town.alice.get(f"{PATH}?kind=service"))
    assert (await town.alice.get(f"{PATH}?kind=x&after=%00&q=%00")).status_code == 200


async def test_roles_are_changed_in_the_tenant_and_at_a_resource(town: Town) -> None:
    page = await town.alice.get(f"{PATH}/{BOB.id}")
    form = form_of(page, "new_role")
    sent = [("role", "viewer"), *filled(form, new_role="scribe", node="project/p1")]
    done = await town.alice.post(form.action, sent)
    assert done.headers["location"] == f"{PATH}/{BOB.id}?tenant=acme&done=saved"
    assert await town.roles(BOB) == (("helper", "viewer"), [("scribe", PROJECT.id)])
    assert (await town.events())[0] == ("membership:changed", BOB.id)
    again = form_of(await town.alice.get(done.headers["location"]), "new_role")
    assert ("place", "scribe project/p1") in filled(again)
    await town.alice.post(again.action, roles_form("viewer"))
    assert await town.roles(BOB) == (("viewer",), []), "an unticked place is taken"


async def test_bad_input_keeps_what_was_chosen_and_says_at_the_field(town: Town) -> None:
    for more, field in (
        ({"new_role": "scribe", "node": ""}, "node"), ({"new_role": "", "node": "project/p1"}, "new_role"),
        ({"new_role": "scribe", "node": "project/none"}, "node"), ({"new_role": "scribe", "node": "x"}, "node"),
        ({"new_role": "scribe", "node": f"project/{THEIRS.key}"}, "node"),
    ):  # fmt: skip
        page = await town.alice.post(f"{PATH}/{BOB.id}/roles", roles_form("viewer", **more))
        assert page.status_code == 422, more
        assert f'id="{field}-error"' in page.text, more
        assert re.search(r'value="viewer" checked', page.text)
        assert not re.search(r'value="helper" checked', page.text)
    unknown = await town.alice.post(f"{PATH}/{BOB.id}/roles", roles_form("nosuch"))
    assert (unknown.status_code, "No role" in unknown.text) == (422, True)
    assert await town.roles(BOB) == (("helper",), [])


async def test_M3_nobody_gives_or_touches_more_than_they_have(town: Town) -> None:
    own = await town.bob.get(f"{PATH}/{BOB.id}")
    assert re.search(r'value="owner" disabled', own.text)
    for who, sent in (
        (BOB.id, roles_form("helper", "owner")), (BOB.id, roles_form("helper", new_role="scribe", node="project/p1")),
        (ALICE.id, roles_form()), (ROBOT.id, roles_form("viewer")),
    ):  # fmt: skip
        refused = await town.bob.post(f"{PATH}/{who}/roles", sent)
        assert refused.status_code == 422, who
        assert "beyond their own" in refused.text
    for what in ("deactivate", "remove"):
        refused = await town.bob.post(f"{PATH}/{ALICE.id}/{what}", [("tenant", "acme")])
        assert (refused.status_code, "beyond their own" in refused.text) == (403, True)
    shown = await town.bob.get(f"{PATH}/{ALICE.id}")
    assert "may do more than you" in shown.text
    assert 'name="role"' not in shown.text
    assert await town.roles(ALICE) == (("owner",), [])


async def test_the_last_owner_stays(town: Town) -> None:
    await town.whole.change(lambda tx: permissions.set_membership(tx, ACME.id, CAROL.id, ("viewer",)))
    page = await town.alice.post(f"{PATH}/{ALICE.id}/roles", roles_form("viewer"))
    assert (page.status_code, "one owner of a tenant" in page.text) == (422, True)
    for what in ("deactivate", "remove"):
        refused = await town.alice.post(f"{PATH}/{ALICE.id}/{what}", [("tenant", "acme")])
        assert (refused.status_code, "Make somebody else an owner" in refused.text) == (409, True)
    assert "This is you." in said(await town.alice.get(f"{PATH}/{ALICE.id}/remove"))


async def test_somebody_is_deactivated_let_in_again_and_removed(town: Town) -> None:
    await town.whole.change(lambda tx: api_keys.insert_api_key(tx, replace(KEY, user_id=BOB.id)))
    asked = await town.alice.get(f"{PATH}/{BOB.id}/deactivate")
    assert "1 in use" in said(asked)
    done = await town.alice.post(f"{PATH}/{BOB.id}/deactivate", filled(form_of(asked, "tenant")))
    assert done.headers["location"] == f"{PATH}/{BOB.id}?tenant=acme&done=deactivated&name=Bob"
    assert (await town.bob.get(PATH)).headers["location"].startswith("/sign-in")
    assert "Deactivated" in said(await town.alice.get(f"{PATH}?q=bob"))
    assert (await town.alice.get(f"{PATH}/{BOB.id}/deactivate")).status_code == 404, "he is"
    back = await town.alice.post(f"{PATH}/{BOB.id}/activate", [("tenant", "acme"), ("name", "Bob")])
    assert "may sign in again" in said(await town.alice.get(back.headers["location"]))
    gone = await town.alice.post(f"{PATH}/{BOB.id}/remove", [("tenant", "acme"), ("name", "Bob")])
    assert "Bob is no member any more" in said(await town.alice.get(gone.headers["location"]))
    assert (await town.alice.get(f"{PATH}/{BOB.id}")).status_code == 404
    names = [name for name, _ in await town.events()]
    assert names[:3] == ["membership:ended", "user:activated", "user:deactivated"]


async def test_an_account_of_several_tenants_is_removed_and_never_ended(town: Town) -> None:
    page = await town.alice.get(f"{PATH}/{CAROL.id}")
    assert "belongs to other tenants too" in page.text
    assert f"{PATH}/{CAROL.id}/deactivate" not in page.text
    refused = await town.alice.post(f"{PATH}/{CAROL.id}/deactivate", [("tenant", "acme")])
    assert (refused.status_code, "Remove the person" in refused.text) == (409, True)


async def test_a_service_account_is_made_given_roles_and_deleted(town: Town) -> None:
    page = await town.alice.get(f"{PATH}?kind=service")
    form = form_of(page, "name")
    done = await town.alice.post(form.action, [*filled(form, name="Deploy"), ("role", "viewer")])
    assert done.status_code == 303
    assert "The service account Deploy is made." in said(await town.alice.get(done.headers["location"]))
    found = await town.look(lambda reader: members.members(reader, ACME, kind=OwnerKind.SERVICE))
    made = next(each for each in found if each.user.name == "Deploy")
    assert made.roles == ("viewer",)
    for name, roles in (("", ["viewer"]), ("x" * 65, []), ("a\u202eb", []), ("ok", ["nosuch"])):
        again = await town.alice.post(form.action, [("tenant", "acme"), ("name", name), *(("role", r) for r in roles)])
        place = "roles" if name == "ok" else "name"
        assert (again.status_code, f'id="{place}-error"' in again.text) == (422, True)
    beyond = await town.bob.post(form.action, [("tenant", "acme"), ("name", "Mine"), ("role", "owner")])
    assert beyond.status_code == 403
    person = await town.alice.post(f"{PATH}/{BOB.id}/delete", [("tenant", "acme")])
    assert person.status_code == 422
    gone = await town.alice.post(f"{PATH}/{made.user.id}/delete", [("tenant", "acme"), ("name", "Deploy")])
    assert "Deploy is deleted" in said(await town.alice.get(gone.headers["location"]))
    user = await town.look(lambda reader: accounts.user_by_id(reader, made.user.id))
    assert (user.status, user.name) == (Status.DISABLED, "Deleted user")


async def test_a_change_waits_for_a_proof(town: Town) -> None:
    town.whole.clock.forward(3600)
    for path in (f"{PATH}/{BOB.id}/roles", f"{PATH}/{BOB.id}/remove", f"{PATH}/service-accounts"):
        asked = await town.alice.post(path, roles_form("viewer", name="Deploy"))
        assert asked.status_code == 403
        assert "Confirm that it is you" in asked.text
    assert await town.roles(BOB) == (("helper",), [])
    asked = await town.alice.post(f"{PATH}/{BOB.id}/roles", roles_form("viewer"))
    form = form_of(asked, "password")
    await town.alice.post(form.action, filled(form, password=PASSWORD))
    assert await town.roles(BOB) == (("viewer",), [])


async def test_M1_somebody_of_another_tenant_looks_like_nobody_at_every_address(town: Town) -> None:
    ways = ("", "/roles", "/deactivate", "/activate", "/remove", "/delete")
    for way in ways:
        answers = []
        for user_id in (DORA.id, "u-nobody"):
            sent = await town.alice.post(f"{PATH}/{user_id}{way}", [("tenant", "acme")]) if way else None
            page = None if way == "/roles" else await town.alice.get(f"{PATH}/{user_id}{way}?tenant=acme")
            texts = [re.sub(r"req_[\w-]+|\d\d:\d\d:\d\d", "", each.text) for each in (sent, page) if each is not None]
            assert {each.status_code for each in (sent, page) if each is not None} == {404}, way
            answers.append(texts)
        assert answers[0] == answers[1], way
    for slug in ("globex", "nosuch"):
        assert (await town.alice.get(f"{PATH}?tenant={slug}")).status_code == 403
        refused = await town.alice.post(f"{PATH}/{DORA.id}/remove", [("tenant", slug)])
        assert refused.status_code == 403
    assert await town.look(lambda reader: permissions.is_member(reader, GLOBEX.id, DORA.id))


async def test_who_may_not_look_after_members_sees_none_of_it(town: Town) -> None:
    await town.whole.change(lambda tx: permissions.set_membership(tx, ACME.id, BOB.id, ("viewer",)))
    assert (await town.bob.get(PATH)).status_code == 403
    assert (await town.bob.get(f"{PATH}/{ALICE.id}")).status_code == 403
    assert (await town.bob.post(f"{PATH}/{ALICE.id}/roles", roles_form("viewer"))).status_code == 403
    assert f'href="{PATH}"' not in (await town.bob.get("/settings/keys")).text
    gone = town.whole.browser()
    for path in (PATH, f"{PATH}/{BOB.id}", f"{PATH}/{BOB.id}/remove"):
        assert (await gone.get(path)).headers["location"] == "/sign-in?next=%2Fsettings%2Fmembers"
