"""Protocol versions, and the routing headers that have to agree with the body (MCP 2026-07-28, "Server Validation"; K8, K9)."""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Any

from doorward.protocol import faults
from doorward.protocol.errors import JsonRpcError
from doorward.protocol.jsonrpc import INVALID_PARAMS, Id

MODERN_VERSION = "2026-07-28"
LEGACY_VERSIONS = ("2025-11-25", "2025-06-18", "2025-03-26")
SUPPORTED_VERSIONS = (MODERN_VERSION, *LEGACY_VERSIONS)
"""Newest first."""

HEADER_MISMATCH = -32020
MISSING_CLIENT_CAPABILITY = -32021
UNSUPPORTED_PROTOCOL_VERSION = -32022

VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES_KEY = "io.modelcontextprotocol/clientCapabilities"
NAME_PARAMETERS: Mapping[str, str] = {
    "tools/call": "name", "prompts/get": "name", "resources/read": "uri",
    "tasks/get": "taskId", "tasks/update": "taskId", "tasks/cancel": "taskId",
}  # fmt: skip
"""Which parameter ``Mcp-Name`` repeats."""

_SENTINEL = re.compile(r"=\?base64\?(.*)\?=")


def decode_header(value: str) -> str | None:
    """Return a routing header's value with ``=?base64?…?=`` undone.

    None where that is malformed or not canonical: two spellings of one value would let two readers disagree.
    """
    found = _SENTINEL.fullmatch(value)
    if found is None:
        return value
    try:
        decoded = base64.b64decode(found[1], validate=True)
        text = decoded.decode("utf-8")
    except (binascii.Error, ValueError):
        return None
    return text if base64.b64encode(decoded).decode("ascii") == found[1] else None


def require_envelope(meta: Mapping[str, Any], request_id: Id | None) -> None:
    """Refuse a modern message whose ``_meta`` lacks version or capabilities. Raises ``JsonRpcError`` -32602."""
    if VERSION_KEY not in meta or CAPABILITIES_KEY not in meta:
        missing = [key for key in (VERSION_KEY, CAPABILITIES_KEY) if key not in meta]
        raise JsonRpcError(
            faults.ENVELOPE_MISSING, INVALID_PARAMS, reason=f"_meta lacks {', '.join(missing)}", request_id=request_id
        )


def require_agreement(
    method: str,
    params: Mapping[str, Any],
    mcp_method: Sequence[str],
    mcp_name: Sequence[str],
    request_id: Id | None,
    *,
    required: bool,
) -> None:
    """Refuse routing headers that are repeated or say something else than the body, and missing ones if required."""
    if len(mcp_method) > 1 or len(mcp_name) > 1:
        raise mismatch("a routing header is repeated", request_id)
    if (required or mcp_method) and not _says(mcp_method, method):
        raise mismatch("Mcp-Method is not the method", request_id)
    name = params.get(NAME_PARAMETERS.get(method, ""))
    if name is not None and (required or mcp_name) and not _says(mcp_name, name):
        raise mismatch("Mcp-Name is not the name in params", request_id)


def _says(values: Sequence[str], wanted: str) -> bool:
    """Say whether there is a header and it means ``wanted``, plainly or encoded."""
    if not values:
        return False
    value = values[0]
    return (value if value[:2] != "=?" else decode_header(value)) == wanted


def modern_version(version: str | None, request_id: Id | None) -> str:
    """Return the version of a modern message. Raises ``JsonRpcError`` -32022."""
    if version != MODERN_VERSION:
        raise _unsupported(version, request_id, (MODERN_VERSION,))
    return version


def legacy_version(version: str | None, request_id: Id | None) -> str | None:
    """Return the version of an older message; None where it says none. Raises ``JsonRpcError`` -32022."""
    if version is not None and version not in SUPPORTED_VERSIONS:
        raise _unsupported(version, request_id, SUPPORTED_VERSIONS)
    return version


def mismatch(reason: str, request_id: Id | None) -> JsonRpcError:
    """Return what is raised where headers and body disagree: -32020."""
    return JsonRpcError(faults.HEADER_MISMATCH, HEADER_MISMATCH, reason=reason, request_id=request_id)


def _unsupported(version: str | None, request_id: Id | None, supported: Sequence[str]) -> JsonRpcError:
    # A request that names its version itself is told what `server/discover` lists; the older ones need a handshake.
    data: dict[str, Any] = {"supported": list(supported), "requested": (version or "")[:64]}
    return JsonRpcError(
        faults.VERSION_UNSUPPORTED,
        UNSUPPORTED_PROTOCOL_VERSION,
        reason=f"version {(version or '')[:64]!r}",
        data=data,
        request_id=request_id,
    )
