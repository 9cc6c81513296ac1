"""Reading a message: its era, its version, and what it asks for."""

from collections.abc import Mapping, Sequence
from typing import Any

from doorward.protocol.jsonrpc import Notification, Response, classify, params_invalid
from doorward.protocol.mcp.agreement import (
    MODERN_VERSION,
    VERSION_KEY,
    legacy_version,
    mismatch,
    modern_version,
    require_agreement,
    require_envelope,
)
from doorward.protocol.mcp.asks import Ask, ClientResponse, Era, Unknown
from doorward.protocol.mcp.methods import LEGACY_METHODS, MODERN_METHODS, invalid, notification


def read(
    message: Mapping[str, Any],
    *,
    protocol_version: str | None,
    mcp_method: Sequence[str] = (),
    mcp_name: Sequence[str] = (),
) -> Ask:
    """Return what a decoded message asks for.

    ``protocol_version`` is the MCP-Protocol-Version header (several joined by a comma are an unknown version);
    ``mcp_method`` and ``mcp_name`` are all values of those headers. Raises ``JsonRpcError``, always with HTTP 400:
    -32600 and -32602 for the shape, -32020 where headers and body disagree, -32022 for the version.
    """
    envelope = classify(message)
    if isinstance(envelope, Response):
        version = legacy_version(protocol_version, envelope.id)
        if protocol_version == MODERN_VERSION:
            raise invalid("a response; this revision has none", envelope.id)
        return ClientResponse(Era.LEGACY, version, envelope.id)
    method, params = envelope.method, envelope.params
    request_id = None if isinstance(envelope, Notification) else envelope.id
    meta = params.get("_meta", {})
    if not isinstance(meta, dict):
        raise params_invalid("params._meta is not an object", request_id)
    modern = protocol_version == MODERN_VERSION or VERSION_KEY in meta
    wants_headers = modern and request_id is not None
    if wants_headers:
        require_envelope(meta, request_id)
    if VERSION_KEY in meta and meta[VERSION_KEY] != protocol_version:
        raise mismatch("MCP-Protocol-Version is not the version in params._meta", request_id)
    require_agreement(method, params, mcp_method, mcp_name, request_id, required=wants_headers)
    version = modern_version(protocol_version, request_id) if modern else legacy_version(protocol_version, request_id)
    context = (Era.MODERN if modern else Era.LEGACY, version, request_id)
    if request_id is None:
        return notification(context, method, params)
    reader = (MODERN_METHODS if modern else LEGACY_METHODS).get(method)
    return Unknown(*context, method) if reader is None else reader(context, params)
