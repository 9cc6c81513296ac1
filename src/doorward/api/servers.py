"""``/api/v1/tenants/{slug}/servers``: the MCP servers of a tenant, and what they were seen to offer (F2). For reading.

Every member sees which servers there are and at which URL, as on the page *Set up a client*. What each tool needs, and
which are held, is for those who may ask why a call is denied. Upstream addresses and credentials are told to nobody.
"""

from functools import partial
from typing import Any, Final

from doorward.api.call import Call, Page
from doorward.api.common import TIME
from doorward.api.problems import unknown
from doorward.api.route import ONESELF, TENANT, ApiRoute
from doorward.api.shapes import Anything, Choice, Each, Said, answered
from doorward.model import Server, Status, ToolState
from doorward.rights import EXPLAIN_DECISIONS
from doorward.storage import known_tools, servers
from doorward.storage.known_tools import KnownTool
from doorward.web.words import iso

PATH: Final = f"{TENANT}/servers"
ONE: Final = f"{PATH}/{{server}}"
SERVER: Final = answered(slug=Said(names="server"), name=Said(), urls=Each(Said("A URL for clients."), most=1000))
TOOL: Final = answered(
    name=Said(), version=Said("Of its description: another one whenever the server changes it."),
    state=Choice([state.value for state in ToolState]), first_seen_at=TIME,
    annotations=Anything(object_only=True, says="What the server says of it; nothing to decide by."),
)  # fmt: skip


def _list(call: Call) -> Page[dict[str, Any]]:
    return call.page_of_all(_servers(call), lambda each: (each.slug,)).told(partial(_described, call))


def _show(call: Call) -> dict[str, Any]:
    return _described(call, _one(call))


def _tools(call: Call) -> Page[dict[str, Any]]:
    found = known_tools.known_of_server(call.tx, _one(call).id)
    return call.page_of_all(found, lambda each: (each.name, each.first_seen, each.digest)).told(_tool)


def _servers(call: Call) -> list[Server]:
    enabled = servers.servers_of_tenant(call.tx, call.tenant.id)
    return [each for each in servers.all_servers(call.tx) if each.id in enabled and each.status is Status.ACTIVE]


def _one(call: Call) -> Server:
    found = next((each for each in _servers(call) if each.slug == call.path["server"]), None)
    if found is None:
        # The same for one of the deployment that the tenant has not enabled.
        raise unknown("There is no such server in this tenant.")
    return found


def _described(call: Call, server: Server) -> dict[str, Any]:
    paths = (path.replace("{tenant}", call.tenant.slug) for path in server.paths)
    return {"slug": server.slug, "name": server.name, "urls": [f"{call.parts.public_url}{path}" for path in paths]}


def _tool(tool: KnownTool) -> dict[str, Any]:
    return {
        "name": tool.name, "version": tool.digest, "state": tool.state.value, "first_seen_at": iso(tool.first_seen),
        "annotations": dict(tool.annotations),
    }  # fmt: skip


ROUTES: Final = (
    ApiRoute(
        method="GET", path=PATH, name="servers.list", says="The tenant's MCP servers, for every member.", needs=ONESELF,
        use=_list, answer=SERVER, pages="servers", limited="",
    ),
    ApiRoute(
        method="GET", path=ONE, name="servers.show", says="One server.", needs=ONESELF, use=_show, answer=SERVER,
        limited="",
    ),
    ApiRoute(
        method="GET", path=f"{ONE}/tools", name="servers.tools", says="Every version of every tool that it was seen to offer.",
        needs=EXPLAIN_DECISIONS, use=_tools, answer=TOOL, pages="tools",
    ),
)  # fmt: skip
