"""``approval`` of a tool rule and of an override in a document (feature D8)."""

from typing import Any

import pytest
from tests.provisioning.deployment import Deployment

from doorward.model import Approvers, Effect, Permission
from doorward.provisioning.reading import DocumentError
from doorward.storage import accounts, overrides, servers

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("D8")]
WIKI = {"slug": "wiki", "upstream": "http://127.0.0.1:9/mcp"}
ACME = {
    "slug": "acme", "servers": ["wiki"], "members": [{"user": "ines@acme.example", "roles": ["owner"]}],
}  # fmt: skip
DECIDE = Permission("approvals:decide")


def document(rule: dict[str, Any], *said: dict[str, Any]) -> dict[str, Any]:
    given = {"match": "delete_*", "requires": ["pages:delete"], **rule}
    return {
        "servers": [{**WIKI, "tools": [given]}],
        "users": [{"email": "ines@acme.example", "name": "Ines"}],
        "tenants": [{**ACME, "overrides": list(said)}],
    }


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("self", Approvers()),
        ({"permissions": ["approvals:decide"]}, Approvers(permissions=frozenset({DECIDE}))),
        (
            {"permissions": ["approvals:decide"], "by_another": True},
            Approvers(permissions=frozenset({DECIDE}), by_another=True),
        ),
    ],
    ids=["self", "permission", "another"],
)
async def test_a_rule_and_an_override_say_who_approves(deployment: Deployment, said: Any, meant: Approvers) -> None:
    whole = document({"approval": said}, {"server": "wiki", "tools": "export_*", "approval": said})
    await deployment.apply(whole)
    server = await deployment.database.read_long(lambda reader: servers.server_by_slug(reader, "wiki"))
    assert server is not None
    assert server.rules[0].approval == meant
    tenant = await deployment.database.read(lambda reader: accounts.tenant_by_slug(reader, "acme"))
    assert tenant is not None
    (override,) = await deployment.database.read_long(lambda reader: overrides.overrides_of_tenant(reader, tenant.id))
    assert (override.effect, override.approval, override.requires) == (Effect.APPROVAL, meant, frozenset())
    assert (await deployment.apply(whole)).lines == []
    changed = await deployment.apply(document({}, {"server": "wiki", "tools": "export_*", "deny": True}))
    assert changed.lines == ["server wiki: rules", "tenant acme: 1 overrides of tool rules"]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("me", "not known who approves"), ("", "not known who approves"), (True, "found true or false"),
        (None, "found nothing"), ([], "found a list"), ({}, "no permission"), ({"by_another": True}, "no permission"),
        ({"permissions": []}, "no permission"), ({"permissions": ["*:decide"]}, "is no permission"),
        ({"permissions": ["approvals:decide"], "by_another": 1}, "true or false"), ({"who": "me"}, "unknown key"),
    ],
    ids=lambda value: str(value)[:30],
)  # fmt: skip
async def test_what_says_nobody_in_particular_is_refused_with_its_place(
    deployment: Deployment, said: Any, words: str
) -> None:
    for whole, place in (
        (document({"approval": said}), "servers[0].tools[0].approval"),
        (document({}, {"server": "wiki", "tools": "*", "approval": said}), "tenants[0].overrides[0].approval"),
    ):
        with pytest.raises(DocumentError) as refused:
            await deployment.apply(whole)
        assert words in str(refused.value)
        assert place in str(refused.value)


async def test_only_calls_of_tools_are_approved_and_an_override_says_one_thing(deployment: Deployment) -> None:
    for kind in ("resources", "prompts"):
        rule = {"match": "wiki://x" if kind == "resources" else "x", "requires": ["pages:read"], "approval": "self"}
        with pytest.raises(DocumentError, match="only calls of tools"):
            await deployment.apply({"servers": [{**WIKI, kind: [rule]}]})
    for more in ({"deny": True}, {"require": ["pages:delete"]}):
        with pytest.raises(DocumentError, match="or several of these"):
            await deployment.apply(document({}, {"server": "wiki", "tools": "*", "approval": "self", **more}))
