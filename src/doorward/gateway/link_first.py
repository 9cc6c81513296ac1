"""What a person is answered whose account at a server is not linked, or not any more. Pure.

The same for every name: nothing of the server is told, not even what it offers, since what it offers may be another
person's. Never a 401: a client would sign in here again, which helps nobody (K19).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from doorward.gateway import answers
from doorward.gateway.access import View, own_answer, own_definitions
from doorward.gateway.answers import ACCEPTED, OK, Answer
from doorward.gateway.opens_urls import URL_ELICITATION_REQUIRED
from doorward.model import Server
from doorward.protocol import faults, mcp
from doorward.protocol.jsonrpc import error_response
from doorward.protocol.mcp import LEGACY_VERSIONS, SUPPORTED_VERSIONS, Era

LINK: Final = "link_account"
"""The one tool that there is then."""
NOT_LINKED: Final = -32006
STATE: Final = "link_account"
"""What comes back as ``requestState`` where a client was asked to open the address before."""
_KEY: Final = "link_account"
_SERVER_INFO: Final = "io.modelcontextprotocol/serverInfo"
_LISTS: Final[Mapping[type, str]] = {
    mcp.ListTools: "tools",
    mcp.ListPrompts: "prompts",
    mcp.ListResources: "resources",
    mcp.ListResourceTemplates: "resourceTemplates",
    mcp.ListTasks: "tasks",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How the person gets to the page. ``state`` and ``id`` are for a client that opens addresses itself."""

    url: str
    opens_urls: bool
    asked_before: bool
    state: str
    id: str


def link_first(ask: mcp.Ask, view: View, way: Way) -> Answer:  # noqa: PLR0911, C901  (one line for each kind of message)
    """Return the answer to ``ask``; ``view`` has an empty offer."""
    server = view.governed.server
    match ask:
        case mcp.CallTool() if (told := own_answer(ask, view)) is not None:
            return told
        case mcp.CallTool() | mcp.NoSuchTool() | mcp.GetPrompt() | mcp.ReadResource():
            return _asked_for(ask, server, way)
        case mcp.Listing():
            return _result(ask, {_LISTS[type(ask)]: _tools(view) if isinstance(ask, mcp.ListTools) else []})
        case mcp.Initialize():
            version = ask.requested if ask.requested in LEGACY_VERSIONS else LEGACY_VERSIONS[0]
            return _result(ask, {"protocolVersion": version, **_described(server, way), "serverInfo": _info(server)})
        case mcp.Discover():
            versions = {"supportedVersions": list(SUPPORTED_VERSIONS), "_meta": {_SERVER_INFO: _info(server)}}
            return _result(ask, {**versions, **_described(server, way)})
        case mcp.Ping() | mcp.SetLogLevel():
            return _result(ask, {})
        case mcp.ClientNotification() | mcp.ClientResponse():
            return Answer(status=ACCEPTED, message=None, decision="ignored", reason="no account is linked")
        case mcp.Unknown():
            return answers.unknown_method(ask, ask.method)
        case _:
            return _error(ask, server, way)


def _asked_for(
    ask: mcp.CallTool | mcp.NoSuchTool | mcp.GetPrompt | mcp.ReadResource, server: Server, way: Way
) -> Answer:
    if way.opens_urls and not way.asked_before:
        return _input_required(ask, server, way) if ask.era is Era.MODERN else _elicitation_required(ask, server, way)
    if isinstance(ask, mcp.CallTool | mcp.NoSuchTool):
        wanted = ask.name == LINK
        value = {"content": [{"type": "text", "text": _text(server, way)}], "isError": not wanted}
        return answers.result(ask, value, "refused", faults.NOT_LINKED.code)
    return _error(ask, server, way)


def _input_required(ask: mcp.Ask, server: Server, way: Way) -> Answer:
    params = {"mode": "url", "message": _question(server), "url": way.url}
    value = {
        "resultType": "input_required",
        "inputRequests": {_KEY: {"method": "elicitation/create", "params": params}},
        "requestState": way.state,
    }
    return _answer({"jsonrpc": "2.0", "id": ask.id, "result": value})


def _elicitation_required(ask: mcp.Ask, server: Server, way: Way) -> Answer:
    one = {"mode": "url", "elicitationId": way.id, "url": way.url, "message": _question(server)}
    data = {"elicitations": [one], "code": faults.NOT_LINKED.code}
    return _answer(error_response(ask.id, URL_ELICITATION_REQUIRED, _question(server), data))


def _error(ask: mcp.Ask, server: Server, way: Way) -> Answer:
    data = {"code": faults.NOT_LINKED.code, "url": way.url}
    return _answer(error_response(ask.id, NOT_LINKED, _text(server, way), data))


def _answer(message: Mapping[str, Any]) -> Answer:
    return Answer(status=OK, message=message, decision="refused", reason=faults.NOT_LINKED.code)


def _result(ask: mcp.Ask, value: Mapping[str, Any]) -> Answer:
    cacheable = ask.era is Era.MODERN and isinstance(ask, mcp.Listing | mcp.Discover)
    private = {"cacheScope": "private", "ttlMs": 0} if cacheable else {}
    return answers.result(ask, {**value, **private}, "allowed", "no account is linked")


def _described(server: Server, way: Way) -> dict[str, Any]:
    return {"capabilities": {"tools": {}}, "instructions": _text(server, way)}


def _info(server: Server) -> dict[str, Any]:
    return {"name": server.slug, "title": server.name, "version": "0"}


def _tools(view: View) -> list[Mapping[str, Any]]:
    server = view.governed.server
    definition = {
        "name": LINK,
        "title": f"Link your account at {server.name}",
        "description": (
            f"{server.name} knows people by their own account there, and this person's is not linked yet: its tools "
            "appear when it is. Call this for the address that the person has to open in a browser, then list the "
            "tools again. Changes nothing."
        ),
        "inputSchema": {"type": "object", "properties": {}, "additionalProperties": False},
        "annotations": {
            "title": f"Link your account at {server.name}",
            "readOnlyHint": True,
            "destructiveHint": False,
            "idempotentHint": True,
            "openWorldHint": False,
        },
    }
    return [definition, *own_definitions(view)]


def _question(server: Server) -> str:
    return f"Link your account at {server.name}: open the address in your browser, then the call can be made."


def _text(server: Server, way: Way) -> str:
    fault = faults.NOT_LINKED
    return (
        f"{fault.cause} To link your account at {server.name}, open {way.url} in your browser; then call again. "
        f"({fault.code})"
    )
