"""Inviting over the API: whose key may, what is answered, and that no answer holds a link."""

import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from doorward.accounts.asking import TO_ONE
from doorward.credentials.api_keys import create_api_key
from doorward.model import Permission, PermissionEntry, Resource, ResourceId, Tenant, User
from doorward.policy.permission import expand
from doorward.rights import ADMINISTRATION, MANAGE_MEMBERS
from doorward.storage import permissions
from doorward.storage.database import Transaction
from support.mailing import Post, opened_post
from support.management import management
from support.pages import BOB, CAROL, CATALOGUE, FINGERPRINTER
from support.rows import ACME, ALICE, GLOBEX, NOW

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("E2")]
ALL = (*CATALOGUE, *(PermissionEntry(permission=each, words=words) for each, words in ADMINISTRATION.items()))
NINA = "nina@new.test"
FOLDER = Resource(id=ResourceId("res-1"), tenant_id=ACME.id, type="folder", key="f1", name="Folder")


@dataclass
class Api:
    """The API of a house that sends mail, with keys."""

    post: Post
    keys: dict[str, str]

    async def ask(
        self, method: str, path: str = "", body: Any = None, *, key: str = "alice", slug: str = "acme"
    ) -> httpx2.Response:
        headers = {"authorization": f"Bearer {self.keys.get(key, key)}", "content-type": "application/json"}
        client = self.post.house.browser().client
        url = f"/api/v1/tenants/{slug}/invitations{path}"
        return await client.request(
            method, url, content=b"" if body is None else json.dumps(body).encode(), headers=headers
        )


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with opened_post(tmp_path) as post:
        post.house.more += await management(post.house.database, post.house.clock, mailing=post.mailing)
        post.house.__post_init__()
        yield Api(post, await post.house.change(_keys))


def _keys(tx: Transaction) -> dict[str, str]:
    permissions.put_catalogue(tx, ALL)
    permissions.put_resources(tx, ACME.id, [FOLDER])
    permissions.set_membership(tx, ACME.id, BOB.id, ("viewer",))
    return {
        "alice": _key(tx, ALICE),
        "narrow": _key(tx, ALICE, scopes=frozenset({MANAGE_MEMBERS})),
        "read": _key(tx, ALICE, scopes=frozenset({Permission("documents:read")})),
        "limited": _key(tx, ALICE, resources=frozenset({FOLDER.id})),
        "bob": _key(tx, BOB),
        "globex": _key(tx, CAROL, tenant=GLOBEX),
    }


def _key(tx: Transaction, owner: User, *, tenant: Tenant = ACME, **narrowed: Any) -> str:
    rights = expand(("*:*",), [entry.permission for entry in ALL])
    return create_api_key(
        tx, owner=owner, tenant=tenant, created_by=owner.id, name="key", rights=rights, now=NOW, entropy=os.urandom,
        fingerprinter=FINGERPRINTER, expires_at=None, cause=None, **{"scopes": None, "resources": None, **narrowed},
    ).text  # fmt: skip


async def test_a_key_invites_lists_sends_again_and_takes_back(api: Api) -> None:
    at = [{"role": "owner", "type": "folder", "key": "f1"}]
    made = await api.ask("POST", body={"email": "Nina@New.test", "roles": ["viewer"], "at": at})
    assert made.status_code == 201, made.text
    one = made.json()
    assert (one["email"], one["roles"], one["at"], one["state"]) == (NINA, ["viewer"], at, "waiting")
    assert (await api.ask("GET")).json() == {"invitations": [one], "next": None}
    assert (await api.post.letter()).recipients == [NINA]
    again = await api.ask("POST", f"/{one['id']}/resend")
    assert again.json() == one
    assert len(await api.post.delivered()) == 1
    gone = await api.ask("DELETE", f"/{one['id']}")
    assert gone.json() == {"id": one["id"], "state": "revoked"}
    assert (await api.ask("DELETE", f"/{one['id']}")).status_code == 409
    assert (await api.ask("GET")).json()["invitations"][0]["state"] == "revoked"
    for answer in (made, again, gone, await api.ask("GET")):
        assert "dwl_" not in answer.text
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("key", "slug", "status"),
    [("read", "acme", 403), ("limited", "acme", 403), ("bob", "acme", 403), ("globex", "acme", 404), ("alice", "globex", 404),
     ("alice", "nowhere", 404), ("dw_x", "acme", 401)],
)  # fmt: skip
async def test_who_may_not_look_after_members_gets_nothing(api: Api, key: str, slug: str, status: int) -> None:
    for method, path, body in (
        ("GET", "", None),
        ("POST", "", {"email": NINA, "roles": ["viewer"]}),
        ("DELETE", "/inv_x", None),
    ):
        answer = await api.ask(method, path, body, key=key, slug=slug)
        assert answer.status_code == status, (method, answer.text)
    assert await api.post.delivered() == []


async def test_M3_a_key_gives_no_more_than_it_may_do_itself(api: Api) -> None:
    assert (await api.ask("POST", body={"email": NINA, "roles": ["owner"]}, key="narrow")).status_code == 403
    assert (await api.ask("POST", body={"email": NINA, "roles": []}, key="narrow")).status_code == 201


@pytest.mark.parametrize(
    "body",
    [[], {}, {"email": 1}, {"email": NINA, "roles": "viewer"}, {"email": NINA, "roles": [1]}, {"email": NINA, "extra": 1},
     {"email": NINA, "at": [{"role": "viewer"}]}, {"email": "a@x.test, b@x.test"}, {"email": "a@x.test\r\nBcc: b@x.test"},
     {"email": NINA, "roles": ["pope"]}, {"email": NINA, "at": [{"role": "viewer", "type": "folder", "key": "none"}]},
     {"email": CAROL.email, "roles": ["viewer"]}, {"email": NINA, "roles": ["x"] * 101}],
)  # fmt: skip
async def test_H12_what_is_no_invitation_is_told_and_sends_nothing(api: Api, body: Any) -> None:
    answer = await api.ask("POST", body=body)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert await api.post.delivered() == []


async def test_an_unknown_invitation_and_another_tenants_are_the_same(api: Api) -> None:
    assert (await api.ask("DELETE", "/inv_unknown")).status_code == 404
    assert (await api.ask("POST", "/inv_unknown/resend")).status_code == 404


async def test_E8_one_address_is_not_mailed_without_end(api: Api) -> None:
    one = (await api.ask("POST", body={"email": NINA, "roles": ["viewer"]})).json()
    statuses = [(await api.ask("POST", f"/{one['id']}/resend")).status_code for _ in range(TO_ONE)]
    assert statuses == [200] * (TO_ONE - 1) + [429]
    refused = await api.ask("POST", f"/{one['id']}/resend")
    assert 0 < int(refused.headers["retry-after"]) <= 3600
