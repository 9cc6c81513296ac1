"""Tell Doorward the shape of the tree, so that credentials can be limited to a part of it.

Product-side half of the resource API: the whole tree at start (idempotent), then each change before the tool that made
it answers. One API key per tenant, with the permission ``resources:manage`` and nothing else.
"""

import asyncio
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import httpx2

from doorward.demo.harbour.errors import NotPushedError
from doorward.demo.harbour.store import Node, Store

log = logging.getLogger(__name__)

FIRST_WAIT_SECONDS: Final = 0.05
LONGEST_WAIT_SECONDS: Final = 2.0


class TreePusher:
    """Pushes to ``{base}/api/v1/tenants/{slug}/resources`` with the keys of a JSON file ``{slug: key}``."""

    def __init__(self, base: str, key_file: Path, http: httpx2.AsyncClient) -> None:
        self._base = base
        self._key_file = key_file
        self._http = http

    async def publish(self, tenant: str, put: Sequence[Node], remove: Sequence[tuple[str, str]]) -> None:
        """Send one change; raise ``NotPushedError`` unless it was taken."""
        body = {
            "put": [node.as_json() for node in put],
            "remove": [{"type": kind, "key": key} for kind, key in remove],
        }
        if not await self._send("PATCH", tenant, body):
            raise NotPushedError

    async def publish_all(self, store: Store) -> int:
        """Send the whole tree of every tenant, again until it is taken, and return how many nodes there are."""
        wait = FIRST_WAIT_SECONDS
        trees = whole_trees(store)
        for tenant, nodes in trees.items():
            while not await self._send("PUT", tenant, {"resources": [node.as_json() for node in nodes]}):
                await asyncio.sleep(wait)
                wait = min(2 * wait, LONGEST_WAIT_SECONDS)
        return sum(len(nodes) for nodes in trees.values())

    async def _send(self, method: str, tenant: str, body: Any) -> bool:
        try:
            key = json.loads(self._key_file.read_text())[tenant]
            answer = await self._http.request(
                method, f"{self._base}/api/v1/tenants/{tenant}/resources", json=body,
                headers={"Authorization": f"Bearer {key}"},
            )  # fmt: skip
        except (OSError, ValueError, KeyError, httpx2.HTTPError) as failure:
            log.info("the tree of %s was not pushed: %s", tenant, type(failure).__name__)
            return False
        if not answer.is_success:
            log.warning("the tree of %s was refused with %d: %s", tenant, answer.status_code, answer.text[:500])
        return answer.is_success


async def publish_nothing(tenant: str, put: Sequence[Node], remove: Sequence[tuple[str, str]]) -> None:
    """Take any change: for a Harbour that runs without a door in front of it."""
    del tenant, put, remove


def whole_trees(store: Store) -> dict[str, list[Node]]:
    """Return every tenant's nodes, parents before children."""
    rows = store.all(
        "WITH RECURSIVE down (id, depth) AS (SELECT id, 0 FROM nodes WHERE parent IS NULL UNION "
        "SELECT nodes.id, depth + 1 FROM nodes JOIN down ON nodes.parent = down.id) "
        "SELECT nodes.*, parents.type AS parent_type FROM down JOIN nodes USING (id) "
        "LEFT JOIN nodes AS parents ON parents.id = nodes.parent ORDER BY depth, nodes.id",
        {},
    )
    trees: dict[str, list[Node]] = {}
    for row in rows:
        parent = None if row["parent"] is None else (row["parent_type"], row["parent"])
        node = Node(type=row["type"], key=row["id"], name=row["name"], parent=parent)
        trees.setdefault(row["tenant"], []).append(node)
    return trees
