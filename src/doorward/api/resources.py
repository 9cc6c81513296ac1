"""``PUT`` and ``PATCH /api/v1/tenants/{slug}/resources``: a product pushes the tree of its resources (D10).

``PUT`` describes the whole tree, ``PATCH`` a change. Both answer ``{"put", "removed", "total"}`` and may be repeated.
"""

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any, Final

from doorward.api.call import Call
from doorward.api.common import PEOPLE
from doorward.api.problems import Problem
from doorward.api.route import TENANT, ApiRoute
from doorward.api.shapes import Each, Maybe, Members, Text, Whole, answered
from doorward.model import OwnerKind
from doorward.protocol import faults
from doorward.provisioning.resource_tree import (
    MAX_NODES,
    NodeName,
    Pusher,
    TreeChange,
    TreeNode,
    TreeRefused,
    change_tree,
    replace_tree,
)
from doorward.provisioning.tree_editing import change_as_person
from doorward.rights import MANAGE_RESOURCES

PATH: Final = f"{TENANT}/resources"
_TYPE: Final = Text(
    most=64, pattern="[a-z][a-z0-9_-]*", like="a text like project: lower case, at most 64 characters"
)  # fmt: skip
_KEY: Final = Text(
    most=200, pattern=r"[\x21-\x7e]*", like="a text like prj-42: printable ASCII without spaces, at most 200 characters"
)
_TITLE: Final = Text(
    most=200, pattern=r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028-\u202e\u2066-\u2069]*",
    like="a text like Spring launch: at most 200 ordinary characters",
)  # fmt: skip
NAME: Final = Members({"type": _TYPE, "key": _KEY}, needs=("type", "key"))
NODE: Final = Members(
    {"type": _TYPE, "key": _KEY, "name": _TITLE, "parent": Maybe(NAME, "Null: at the top.")},
    needs=("type", "key", "name"),
)
CHANGE: Final = answered(put=Whole(says="Added or changed."), removed=Whole(), total=Whole(says="There now."))


def _replace(call: Call) -> dict[str, int]:
    nodes = [_node(each) for each in call.body["resources"]]
    return _changed(call, lambda: replace_tree(call.tx, nodes, _pusher(call)))


def _change(call: Call) -> dict[str, int]:
    put = [_node(each) for each in call.body.get("put", [])]
    remove = [_name(each) for each in call.body.get("remove", [])]
    return _changed(call, lambda: change_tree(call.tx, put, remove, _pusher(call)))


def _changed(call: Call, use: Callable[[], TreeChange]) -> dict[str, int]:
    # A product pushes as a service account, and says what is; whoever else may move a node may move rights with it.
    if call.user.kind is OwnerKind.PERSON:
        change = change_as_person(call.tx, call.tenant, call.actor(), use, by_hand=call.caller.key is None)
    else:
        change = use()
    return {"put": change.put, "removed": change.removed, "total": change.total}


def _name(sent: dict[str, Any]) -> NodeName:
    return sent["type"], sent["key"]


def _node(sent: dict[str, Any]) -> TreeNode:
    parent = sent.get("parent")
    return TreeNode(name=_name(sent), title=sent["name"], parent=None if parent is None else _name(parent))


def _pusher(call: Call) -> Pusher:
    key = call.caller.key
    return Pusher(
        tenant_id=call.tenant.id, actor_id=call.caller.user_id,
        credential_id=call.caller.by if key is None else key.credential_id, now=call.now, cause=call.cause,
        product=key is not None,
    )  # fmt: skip


def _refused(refused: TreeRefused) -> Problem:
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, refused.public, fault=faults.API_NOT_AS_DESCRIBED)


_route = partial(
    ApiRoute, path=PATH, needs=MANAGE_RESOURCES, answer=CHANGE, refusals={TreeRefused: _refused, **PEOPLE},
    limited="A key that is limited to a part of the tree cannot change the tree.",
)  # fmt: skip
ROUTES: Final = (
    _route(
        method="PUT", name="resources.replace", says="Describe the whole tree.", use=_replace,
        body=Members({"resources": Each(NODE, most=MAX_NODES)}, needs=("resources",)),
    ),
    _route(
        method="PATCH", name="resources.change", says="Change a part of the tree.", use=_change,
        body=Members({"put": Each(NODE, most=MAX_NODES), "remove": Each(NAME, most=MAX_NODES)}),
    ),
)  # fmt: skip
