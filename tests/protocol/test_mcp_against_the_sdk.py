"""The routing rules, compared with those of the official SDK for arbitrary modern requests."""

# ruff: noqa: PT017  (a refusal is one of the permitted ends of these tests)

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from mcp.shared.inbound import InboundLadderRejection, classify_inbound_request, decode_header_value

from doorward.protocol import mcp
from doorward.protocol.errors import JsonRpcError

VERSIONS = st.sampled_from(["2026-07-28", "2025-11-25", "2099-01-01"])
METHODS = st.sampled_from(["tools/call", "tools/list", "resources/read", "prompts/get", "server/discover"])
NAMES = st.sampled_from(
    ["echo", "drop_db", "=?base64?ZWNobw==?=", "=?base64?ZWNobx==?=", "=?base64?!?=", "=?BASE64?ZWNobw==?="]
)
METAS = st.fixed_dictionaries(
    {}, optional={mcp.VERSION_KEY: VERSIONS, mcp.CAPABILITIES_KEY: st.just({}), "other": st.just(1)}
)


@given(METAS, METHODS, st.sampled_from(["echo", "drop_db"]), METHODS | st.none(), NAMES | st.none())
def test_K8_a_modern_request_passes_or_fails_as_in_the_sdk(
    meta: dict[str, Any], method: str, name: str, method_header: str | None, name_header: str | None
) -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"_meta": meta, "name": name, "uri": name}}
    headers = {"mcp-protocol-version": "2026-07-28", "mcp-method": method_header, "mcp-name": name_header}
    sdk = classify_inbound_request(body, headers={key: value for key, value in headers.items() if value is not None})
    try:
        mcp.read(
            body,
            protocol_version="2026-07-28",
            mcp_method=[] if method_header is None else [method_header],
            mcp_name=[] if name_header is None else [name_header],
        )
    except JsonRpcError as error:
        assert isinstance(sdk, InboundLadderRejection)
        assert error.rpc_code == sdk.code
    else:
        assert not isinstance(sdk, InboundLadderRejection)


@given(st.text() | st.binary().map(lambda raw: f"=?base64?{raw.hex()}?=") | NAMES)
def test_header_values_are_decoded_as_in_the_sdk(value: str) -> None:
    assert mcp.decode_header(value) == decode_header_value(value)
