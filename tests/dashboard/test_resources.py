"""The page of the tree: shown, changed where the tenant keeps it, and who has which role where."""

import re
from typing import Any

import pytest
from tests.dashboard.people import OTHER, PROJECT, THEIRS, WORKSPACE, Town, said

from doorward.model import Placement, Resource, ResourceId, Role, RoleId
from doorward.provisioning.resource_tree import Pusher, TreeNode, replace_tree
from doorward.storage import permissions, pushed_trees
from doorward.storage.database import Transaction
from support.pages import CAROL, filled, form_of
from support.rows import ACME, ALICE, BOB, GLOBEX, NOW

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("F2", "D10")]
PATH = "/settings/resources"
SAME_ORIGIN = {"sec-fetch-site": "same-origin"}
KEEPER = Role(
    id=RoleId("r-keeper"), tenant_id=ACME.id, name="keeper",
    permissions=("members:manage", "resources:manage", "documents:read"),
)  # fmt: skip


async def tree(town: Town) -> dict[str, tuple[str, str | None]]:
    """Return the nodes of Acme by key: name, and the key above."""
    nodes = await town.look(lambda reader: permissions.resources_of_tenant(reader, ACME.id))
    keys = {node.id: node.key for node in nodes}
    return {node.key: (node.name, keys.get(node.parent_id)) for node in nodes}


def sent(**values: str) -> list[tuple[str, str]]:
    return [("tenant", "acme"), *values.items()]


async def make_bob_keeper(town: Town) -> None:
    def work(tx: Transaction) -> None:
        permissions.put_role(tx, KEEPER)
        permissions.set_membership(tx, ACME.id, BOB.id, ("keeper",))

    await town.whole.change(work)


async def push(town: Town) -> None:
    nodes = [TreeNode(name=("project", "p9"), title="Pushed", parent=None)]
    pusher = Pusher(tenant_id=ACME.id, actor_id=ALICE.id, credential_id="k", now=NOW, product=True, cause=None)
    await town.whole.change(lambda tx: replace_tree(tx, nodes, pusher))


async def test_the_tree_folds_without_a_script_and_escapes_names(town: Town) -> None:
    await town.whole.change(
        lambda tx: permissions.set_placements(tx, ACME.id, BOB.id, [Placement(role="scribe", resource_id=PROJECT.id)])
    )
    page = await town.alice.get(PATH)
    assert page.text.count("<details") == page.text.count("</details>") == 1
    assert "Atlas &lt;b&gt;" in page.text
    assert "Workspace workspace What is below Workspace Atlas &lt;b&gt; project 1 role Borealis project" in said(page)
    assert THEIRS.name not in page.text
    assert "3 in all" in said(page)
    found = said(await town.alice.get(f"{PATH}?q=P2"))
    assert "Borealis project p2" in found
    assert "Atlas" not in found
    assert "Nothing has this" in said(await town.alice.get(f"{PATH}?q=globex"))


async def test_a_very_deep_and_a_very_broad_tree_are_shown_in_part(town: Town) -> None:
    def grow(tx: Transaction) -> None:
        deep = [
            Resource(
                id=ResourceId(f"d{n}"), tenant_id=ACME.id, type="folder", key=f"d{n}", name=f"Deep {n}",
                parent_id=ResourceId(f"d{n - 1}") if n else None,
            )
            for n in range(1500)
        ]  # fmt: skip
        broad = [
            Resource(
                id=ResourceId(f"b{n}"), tenant_id=ACME.id, type="folder", key=f"b{n}", name=f"B {n}", parent_id=OTHER.id
            )
            for n in range(600)
        ]  # fmt: skip
        permissions.put_resources(tx, ACME.id, [*deep, *broad])

    await town.whole.change(grow)
    for path in (PATH, f"{PATH}/d0", f"{PATH}/d1499", f"{PATH}/{OTHER.id}", f"{PATH}/d700/delete"):
        page = await town.alice.get(path)
        assert page.status_code == 200, path
        assert page.text.count("<details") == page.text.count("</details>") <= 400
        assert page.text.count("<ul") == page.text.count("</ul>")
    assert "more below" in said(await town.alice.get(PATH))


async def test_a_node_is_added_renamed_moved_and_deleted(town: Town) -> None:
    page = await town.alice.get(f"{PATH}/{PROJECT.id}")
    form = form_of(page, "type")
    done = await town.alice.post(form.action, filled(form, type="folder", key="f1", name=" Plans "))
    assert done.headers["location"] == f"{PATH}/{PROJECT.id}?tenant=acme&done=added"
    assert (await tree(town))["f1"] == ("Plans", "p1")
    nodes = await town.look(lambda reader: permissions.resources_of_tenant(reader, ACME.id))
    folder = next(node.id for node in nodes if node.key == "f1")
    await town.alice.post(f"{PATH}/{folder}/rename", sent(name="Blueprints"))
    await town.alice.post(f"{PATH}/{folder}/move", sent(parent="project/p2"))
    assert (await tree(town))["f1"] == ("Blueprints", "p2")
    await town.alice.post(f"{PATH}/{folder}/move", sent(parent=""))
    assert (await tree(town))["f1"] == ("Blueprints", None)
    await town.alice.post(f"{PATH}/{folder}/move", sent(parent="project/p2"))
    asked = await town.alice.get(f"{PATH}/{OTHER.id}/delete?tenant=acme")
    assert "1 deleted with it" in said(asked)
    gone = await town.alice.post(f"{PATH}/{OTHER.id}/delete", filled(form_of(asked, "tenant")))
    assert gone.headers["location"] == f"{PATH}?tenant=acme&done=deleted"
    assert set(await tree(town)) == {"w", "p1"}
    assert {name for name, _ in (await town.events())[:6]} == {"resources:changed"}
    at_top = await town.alice.post(PATH, sent(below="", type="workspace", key="w2", name="Second"))
    assert at_top.headers["location"] == f"{PATH}?tenant=acme&done=added"
    assert (await tree(town))["w2"] == ("Second", None)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"type": "Folder"}, "type"), ({"type": ""}, "type"), ({"key": "a b"}, "key"), ({"key": "é"}, "key"),
        ({"key": "x" * 201}, "key"), ({"type": "project", "key": "p2"}, "key"), ({"name": ""}, "name"),
        ({"name": "a\u202eb"}, "name"), ({"name": "x" * 129}, "name"),
    ],
)  # fmt: skip
async def test_bad_input_keeps_what_was_typed_and_says_at_the_field(town: Town, values: Any, field: str) -> None:
    before = await tree(town)
    for below in ("", PROJECT.id):
        given = {"type": "folder", "key": "f1", "name": "Typed name", "below": below} | values
        page = await town.alice.post(PATH, sent(**given))
        assert page.status_code == 422
        assert f'id="add-{field}-error"' in page.text
        kept = next(item for item in form_of(page, "type").fields if item.name == "type")
        assert kept.value == given["type"]
    assert await tree(town) == before


async def test_what_cannot_be_is_refused_at_its_form(town: Town) -> None:
    for what, values in (
        ("move", {"parent": "project/none"}), ("move", {"parent": "nonsense"}), ("move", {"parent": "project/p1"}),
        ("move", {"parent": "project/g1"}), ("rename", {"name": ""}), ("bind", {"email": "x@y.test", "role": "viewer"}),
        ("bind", {"email": BOB.email, "role": ""}), ("bind", {"email": BOB.email, "role": "nosuch"}),
        ("bind", {"email": "dora@globex.test", "role": "viewer"}), ("unbind", {"user": BOB.id, "role": "viewer"}),
    ):  # fmt: skip
        page = await town.alice.post(f"{PATH}/{PROJECT.id}/{what}", sent(**values))
        assert page.status_code == 422, (what, values)
        assert 'role="alert"' in page.text
    below = await town.alice.post(f"{PATH}/{WORKSPACE.id}/move", sent(parent="project/p1"))
    assert "cannot be below itself" in below.text


async def test_roles_are_given_and_taken_at_a_node_and_those_from_above_are_told(town: Town) -> None:
    await town.alice.post(f"{PATH}/{WORKSPACE.id}/bind", sent(email=CAROL.email, role="viewer"))
    page = await town.alice.get(f"{PATH}/{PROJECT.id}")
    form = form_of(page, "email")
    done = await town.alice.post(form.action, filled(form, email=BOB.email, role="scribe"))
    assert done.headers["location"] == f"{PATH}/{PROJECT.id}?tenant=acme&done=given"
    assert await town.roles(BOB) == (("helper",), [("scribe", PROJECT.id)])
    shown = await town.alice.get(done.headers["location"])
    assert f"Bob {BOB.email} scribe Take away scribe from Bob" in said(shown)
    assert f"Carol Both {CAROL.email} viewer from Workspace" in said(shown)
    taking = form_of(shown, "user")
    await town.alice.post(taking.action, filled(taking))
    assert await town.roles(BOB) == (("helper",), [])
    assert (await town.events())[:2] == [("membership:changed", BOB.id)] * 2


async def test_a_tree_that_a_product_pushes_is_only_looked_at_until_it_is_taken_over(town: Town) -> None:
    await push(town)
    page = await town.alice.get(PATH)
    assert "A product pushes this tree" in page.text
    assert 'name="key"' not in page.text
    nodes = await town.look(lambda reader: permissions.resources_of_tenant(reader, ACME.id))
    pushed = nodes[0]
    assert 'name="parent"' not in (await town.alice.get(f"{PATH}/{pushed.id}")).text
    assert (await town.alice.get(f"{PATH}/{pushed.id}/delete")).status_code == 404
    for path, values in (
        (PATH, {"type": "folder", "key": "f", "name": "F"}), (f"{PATH}/{pushed.id}/rename", {"name": "Mine"}),
        (f"{PATH}/{pushed.id}/move", {"parent": ""}), (f"{PATH}/{pushed.id}/delete", {}),
    ):  # fmt: skip
        refused = await town.alice.post(path, sent(**values))
        assert refused.status_code == 409, path
    assert await tree(town) == {"p9": ("Pushed", None)}
    await town.alice.post(f"{PATH}/{pushed.id}/bind", sent(email=BOB.email, role="scribe"))
    assert await town.roles(BOB) == (("helper",), [("scribe", pushed.id)]), "roles are ours to give"
    form = form_of(await town.alice.get(PATH), "tenant")
    taken = await town.alice.post(f"{PATH}/take-over", filled(form))
    assert taken.status_code == 303
    assert ("resources:taken_over", ACME.id) in await town.events()
    await town.alice.post(f"{PATH}/{pushed.id}/rename", sent(name="Mine"))
    assert await tree(town) == {"p9": ("Mine", None)}
    await push(town)
    assert await town.look(lambda reader: pushed_trees.pushed_since(reader, ACME.id)) == NOW


async def test_M3_nobody_puts_a_node_where_more_holds_than_they_have(town: Town) -> None:
    await make_bob_keeper(town)
    await town.whole.change(
        lambda tx: permissions.set_placements(tx, ACME.id, BOB.id, [Placement(role="scribe", resource_id=OTHER.id)])
    )
    for path, values in (
        (f"{PATH}/{PROJECT.id}/move", {"parent": "project/p2"}),
        (PATH, {"below": OTHER.id, "type": "folder", "key": "secret", "name": "S"}),
    ):
        refused = await town.bob.post(path, sent(**values))
        assert (refused.status_code, "beyond their own" in refused.text) == (403, True), path
    assert (await tree(town))["p1"] == ("Atlas <b>", "w")
    allowed = await town.bob.post(f"{PATH}/{PROJECT.id}/move", sent(parent=""))
    assert allowed.status_code == 303
    beyond = await town.bob.post(f"{PATH}/{WORKSPACE.id}/bind", sent(email=BOB.email, role="owner"))
    assert (beyond.status_code, "beyond their own" in beyond.text) == (403, True)


async def test_M1_a_node_of_another_tenant_looks_like_none_at_every_address(town: Town) -> None:
    values = {
        "rename": {"name": "x"}, "move": {"parent": ""}, "delete": {}, "bind": {"email": BOB.email, "role": "viewer"},
        "unbind": {"user": BOB.id, "role": "viewer"},
    }  # fmt: skip
    texts: dict[str, set[str]] = {}
    for node_id in (THEIRS.id, "nosuch", "%00"):
        for path in ("", "/delete"):
            page = await town.alice.get(f"{PATH}/{node_id}{path}?tenant=acme")
            assert page.status_code == 404
        for what, more in values.items():
            answer = await town.alice.post(f"{PATH}/{node_id}/{what}", sent(**more))
            assert answer.status_code == 404, (node_id, what)
            texts.setdefault(what, set()).add(re.sub(r"req_[\w-]+|\d\d:\d\d:\d\d", "", answer.text))
        below = await town.alice.post(PATH, sent(below=node_id, type="folder", key="f", name="F"))
        assert below.status_code == 404
    assert {len(each) for each in texts.values()} == {1}
    for slug in ("globex", "nosuch"):
        assert (await town.alice.get(f"{PATH}/{THEIRS.id}?tenant={slug}")).status_code == 403
        assert (await town.alice.post(f"{PATH}/{THEIRS.id}/rename", {"tenant": slug, "name": "x"})).status_code == 403
    kept = await town.look(lambda reader: permissions.resources_of_tenant(reader, GLOBEX.id))
    assert [(node.name, node.parent_id) for node in kept] == [(THEIRS.name, None)]


async def test_who_looks_after_members_only_gives_roles_and_changes_no_tree(town: Town) -> None:
    page = await town.bob.get(f"{PATH}/{PROJECT.id}")
    assert 'name="email"' in page.text
    assert 'name="parent"' not in page.text
    assert (await town.bob.post(f"{PATH}/{PROJECT.id}/rename", sent(name="x"))).status_code == 403
    assert (await town.bob.post(f"{PATH}/take-over", sent())).status_code == 403
    await town.whole.change(
        lambda tx: permissions.put_role(
            tx, Role(id=RoleId("r-tree"), tenant_id=ACME.id, name="gardener", permissions=("resources:manage",))
        )
    )
    await town.whole.change(lambda tx: permissions.set_membership(tx, ACME.id, BOB.id, ("gardener",)))
    page = await town.bob.get(f"{PATH}/{PROJECT.id}")
    assert 'name="parent"' in page.text
    assert CAROL.email not in page.text, "addresses are for those who look after members"
    assert (await town.bob.post(f"{PATH}/{PROJECT.id}/bind", sent(email=CAROL.email, role="viewer"))).status_code in {
        403,
        422,
    }
    assert await town.roles(CAROL) == (("owner",), [])
    await town.whole.change(lambda tx: permissions.set_membership(tx, ACME.id, BOB.id, ("viewer",)))
    assert (await town.bob.get(PATH)).status_code == 403
    gone = town.whole.browser()
    for path in (PATH, f"{PATH}/{PROJECT.id}", f"{PATH}/{PROJECT.id}/delete"):
        assert (await gone.get(path)).headers["location"] == "/sign-in?next=%2Fsettings%2Fresources"


async def test_a_change_waits_for_a_proof(town: Town) -> None:
    town.whole.clock.forward(3600)
    for what, values in (("move", {"parent": ""}), ("delete", {}), ("bind", {"email": BOB.email, "role": "viewer"})):
        asked = await town.alice.post(f"{PATH}/{PROJECT.id}/{what}", sent(**values))
        assert (asked.status_code, "Confirm that it is you" in asked.text) == (403, True)
    assert (await tree(town))["p1"] == ("Atlas <b>", "w")


async def test_M3_the_api_asks_what_the_page_asks_of_the_same_person(town: Town) -> None:
    await make_bob_keeper(town)
    at_other = [Placement(role="scribe", resource_id=OTHER.id)]
    await town.whole.change(lambda tx: permissions.set_placements(tx, ACME.id, BOB.id, at_other))
    assert (await town.bob.post(f"{PATH}/{PROJECT.id}/move", sent(parent="project/p2"))).status_code == 403
    csrf = (await town.bob.client.get("/api/v1/me", headers=SAME_ORIGIN)).json()["csrf"]
    moved = {"type": "project", "key": "p1", "name": "Atlas", "parent": {"type": "project", "key": "p2"}}
    answer = await town.bob.client.patch(
        "/api/v1/tenants/acme/resources", json={"put": [moved]}, headers={**SAME_ORIGIN, "doorward-csrf": csrf}
    )
    assert answer.status_code == 403
    assert (await tree(town))["p1"][1] == "w"
