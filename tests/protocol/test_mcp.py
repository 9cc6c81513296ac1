# ruff: noqa: RUF001  (look-alike characters are the point)
# ruff: noqa: PT017  (a refusal is one of the permitted ends of these tests)

import base64
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.protocol import mcp
from doorward.protocol.errors import JsonRpcError
from doorward.protocol.mcp import Ask, Era, RefKind

MODERN = "2026-07-28"
META: dict[str, Any] = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {"extensions": {"io.modelcontextprotocol/tasks": {}}},
}
NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"} | {
    f"tasks/{what}": "taskId" for what in ("get", "update", "cancel")
}
BOTH = (Era.MODERN, Era.LEGACY)


@pytest.mark.parametrize("era", BOTH)
@pytest.mark.parametrize(
    ("method", "params", "kind", "fields"),
    [
        ("tools/call", {"name": "echo", "arguments": {"a": 1}}, mcp.CallTool, ("echo", {"a": 1})),
        ("tools/call", {"name": "echo"}, mcp.CallTool, ("echo", {})),
        ("tools/call", {"name": "a.b-c_d/E9", "arguments": None}, mcp.CallTool, ("a.b-c_d/E9", {})),
        ("tools/list", {}, mcp.ListTools, (None,)),
        ("tools/list", {"cursor": "c"}, mcp.ListTools, ("c",)),
        ("tools/list", {"cursor": None}, mcp.ListTools, (None,)),
        ("prompts/get", {"name": "p", "arguments": {"x": "y"}}, mcp.GetPrompt, ("p", {"x": "y"})),
        ("prompts/list", {"cursor": ""}, mcp.ListPrompts, ("",)),
        ("resources/read", {"uri": "mem://open"}, mcp.ReadResource, ("mem://open",)),
        ("resources/list", {}, mcp.ListResources, (None,)),
        ("resources/templates/list", {"cursor": "c"}, mcp.ListResourceTemplates, ("c",)),
        (
            "completion/complete",
            {"ref": {"type": "ref/prompt", "name": "p", "title": "P"}, "argument": {"name": "a", "value": ""}},
            mcp.Complete,
            (RefKind.PROMPT, "p", "a", "", {}),
        ),
        (
            "completion/complete",
            {
                "ref": {"type": "ref/resource", "uri": "mem://{x}"},
                "argument": {"name": "x", "value": "v"},
                "context": {"arguments": {"y": "w"}},
            },
            mcp.Complete,
            (RefKind.RESOURCE, "mem://{x}", "x", "v", {"y": "w"}),
        ),
        ("tasks/get", {"taskId": "t"}, mcp.UseTask, ("t", None)),
        ("tasks/cancel", {"taskId": "t"}, mcp.UseTask, ("t", None)),
        ("tasks/list_all", {"taskId": "t"}, mcp.Unknown, ("tasks/list_all",)),
        ("tools/Call", {"name": "echo"}, mcp.Unknown, ("tools/Call",)),
        ("tools/call ", {"name": "echo"}, mcp.Unknown, ("tools/call ",)),
        ("x/tools/call", {"name": "echo"}, mcp.Unknown, ("x/tools/call",)),
        ("notifications/cancelled", {}, mcp.Unknown, ("notifications/cancelled",)),
        ("roots/list", {}, mcp.Unknown, ("roots/list",)),
        ("sampling/createMessage", {}, mcp.Unknown, ("sampling/createMessage",)),
        ("rpc.discover", {}, mcp.Unknown, ("rpc.discover",)),
        ("$/x", {}, mcp.Unknown, ("$/x",)),
        ("", {}, mcp.Unknown, ("",)),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, str | dict) else None,
)  # fmt: skip
def test_requests_of_both_eras_are_understood(
    era: Era, method: str, params: dict[str, Any], kind: type, fields: tuple[object, ...]
) -> None:
    asked = ask(era, method, params)
    assert type(asked) is kind
    assert tuple(getattr(asked, name) for name in asked.__match_args__) == (
        era, MODERN if era is Era.MODERN else "2025-11-25", 7, *fields
    )  # fmt: skip


@pytest.mark.parametrize(
    ("method", "params", "kind"),
    [
        ("server/discover", {}, mcp.Discover),
        ("subscriptions/listen", {"notifications": {}}, mcp.Listen),
        ("tasks/update", {"taskId": "t", "inputResponses": {}}, mcp.UseTask),
    ],
)
def test_what_only_the_modern_revision_has(method: str, params: dict[str, Any], kind: type) -> None:
    assert type(ask(Era.MODERN, method, params)) is kind
    assert type(ask(Era.LEGACY, method, params)) is mcp.Unknown


@pytest.mark.parametrize(
    ("method", "params", "kind"),
    [
        ("initialize", {"protocolVersion": "2024-11-05", "capabilities": {}}, mcp.Initialize),
        ("ping", {}, mcp.Ping),
        ("logging/setLevel", {"level": "info"}, mcp.SetLogLevel),
        ("resources/subscribe", {"uri": "mem://open"}, mcp.Subscribe),
        ("resources/unsubscribe", {"uri": "mem://open"}, mcp.Unsubscribe),
        ("tasks/result", {"taskId": "t"}, mcp.UseTask),
        ("tasks/list", {"cursor": "c"}, mcp.ListTasks),
    ],
)
def test_what_only_the_older_revisions_have(method: str, params: dict[str, Any], kind: type) -> None:
    assert type(ask(Era.LEGACY, method, params)) is kind
    assert type(ask(Era.MODERN, method, params)) is mcp.Unknown


@pytest.mark.parametrize("capabilities", [{}, {"extensions": {}}, {"extensions": []}, [], None, {"tasks": {}}])
@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("tasks/get", {"taskId": "t"}),
        ("tasks/update", {"taskId": "t"}),
        ("tasks/cancel", {"taskId": "t"}),
        ("subscriptions/listen", {"notifications": {"taskIds": ["t"]}}),
    ],
)
def test_K23_who_does_not_say_that_it_knows_tasks_is_told_what_is_missing(
    method: str, params: dict[str, Any], capabilities: Any
) -> None:
    meta = {**META, "io.modelcontextprotocol/clientCapabilities": capabilities}
    names = ["t"] if "taskId" in params else []
    with pytest.raises(JsonRpcError) as refused:
        mcp.read(
            message(method, {**params, "_meta": meta}), protocol_version=MODERN, mcp_method=[method], mcp_name=names
        )
    assert (refused.value.rpc_code, refused.value.http_status) == (-32021, 400)
    assert refused.value.data == {"requiredCapabilities": {"extensions": {"io.modelcontextprotocol/tasks": {}}}}


def test_the_fields_of_the_older_revisions_are_read() -> None:
    asked = ask(Era.LEGACY, "initialize", {"protocolVersion": "2024-11-05"})
    assert isinstance(asked, mcp.Initialize)
    assert asked.requested == "2024-11-05"
    level = ask(Era.LEGACY, "logging/setLevel", {"level": "debug"})
    assert isinstance(level, mcp.SetLogLevel)
    assert level.level == "debug"
    for method in ("resources/subscribe", "resources/unsubscribe"):
        watched = ask(Era.LEGACY, method, {"uri": "mem://secret"})
        assert isinstance(watched, mcp.Subscribe | mcp.Unsubscribe)
        assert watched.uri == "mem://secret"


def test_K18_listening_names_the_resources_it_wants() -> None:
    wanted = {"toolsListChanged": True, "resourceSubscriptions": ["mem://open", "mem://secret"], "taskIds": ["t1"]}
    asked = ask(Era.MODERN, "subscriptions/listen", {"notifications": wanted})
    assert isinstance(asked, mcp.Listen)
    assert (asked.uris, asked.presented, asked.tasks) == (("mem://open", "mem://secret"), ("t1",), ())
    nothing = ask(Era.MODERN, "subscriptions/listen", {"notifications": {"resourceSubscriptions": None}})
    assert isinstance(nothing, mcp.Listen)
    assert nothing.uris == ()


@pytest.mark.parametrize("version", [None, "2025-11-25", "2025-06-18", "2025-03-26"])
def test_K9_older_revisions_and_no_version_header_are_served(version: str | None) -> None:
    asked = mcp.read(message("tools/call", {"name": "echo"}), protocol_version=version)
    assert asked == mcp.CallTool(Era.LEGACY, version, 7, "echo", {})


@pytest.mark.parametrize("version", ["2024-11-05", "2099-01-01", "", "garbage", "2025-11-25, 2025-11-25", "x" * 100])
def test_K9_other_versions_are_refused_and_the_offered_ones_named(version: str) -> None:
    error = refused(message("tools/list", {}), version)
    assert (error.http_status, error.rpc_code, error.request_id) == (400, -32022, 7)
    assert error.data == {"supported": [MODERN, "2025-11-25", "2025-06-18", "2025-03-26"], "requested": version[:64]}
    modern = refused(message("tools/list", {"_meta": {**META, mcp.VERSION_KEY: version}}), version, ["tools/list"])
    assert (modern.rpc_code, modern.data) == (-32022, {"supported": [MODERN], "requested": version[:64]})
    answer = refused({"jsonrpc": "2.0", "id": 7, "result": {}}, version)
    assert answer.rpc_code == -32022


@pytest.mark.parametrize(
    ("version", "methods", "names"),
    [
        (MODERN, ["tools/list"], ["echo"]), (MODERN, [], ["echo"]), (MODERN, ["tools/call"], []),
        (MODERN, ["tools/call"], ["drop_db"]), (MODERN, ["tools/call"], ["echo", "echo"]),
        (MODERN, ["tools/call", "tools/call"], ["echo"]), (MODERN, ["Tools/call"], ["echo"]),
        (MODERN, ["tools/call"], [" echo"]), (MODERN, ["tools/call"], ["=?base64?ZHJvcF9kYg==?="]),
        (MODERN, ["tools/call"], ["=?base64?!!!?="]), (MODERN, ["tools/call"], ["=?base64?ZWNobx==?="]),
        (MODERN, ["tools/call"], ["=?BASE64?ZWNobw==?="]), (MODERN, ["tools/call"], ["=?base64?/w==?="]),
        (MODERN, ["tools/call"], ["=?base64?ZWNobw?="]), (None, ["tools/call"], ["echo"]),
        ("2025-11-25", ["tools/call"], ["echo"]),
    ],
    ids=str,
)  # fmt: skip
def test_K8_headers_that_disagree_with_the_body_are_refused(
    version: str | None, methods: list[str], names: list[str]
) -> None:
    error = refused(message("tools/call", {"name": "echo", "_meta": META}), version, methods, names)
    assert (error.http_status, error.rpc_code, error.request_id) == (400, -32020, 7)


def test_K8_base64_values_are_decoded_before_they_are_compared() -> None:
    sent = {"uri": "mem://größe", "_meta": META}
    header = f"=?base64?{base64.b64encode(b'mem://gr' + 'ö'.encode() + 'ße'.encode()).decode()}?="
    method = f"=?base64?{base64.b64encode(b'resources/read').decode()}?="
    asked = mcp.read(message("resources/read", sent), protocol_version=MODERN, mcp_method=[method], mcp_name=[header])
    assert isinstance(asked, mcp.ReadResource)
    assert mcp.decode_header("=?base64??=") == ""
    assert mcp.decode_header("plain") == "plain"


@pytest.mark.parametrize("version", [None, "2025-11-25"])
def test_K9_older_revisions_may_leave_routing_headers_out_but_not_lie_in_them(version: str | None) -> None:
    body = message("tools/call", {"name": "drop_db"})
    agreeing = mcp.read(body, protocol_version=version, mcp_method=["tools/call"], mcp_name=["drop_db"])
    assert isinstance(agreeing, mcp.CallTool)
    lies: list[tuple[list[str], list[str]]] = [
        (["tools/list"], []), ([], ["echo"]), (["tools/call", "tools/call"], []), ([], ["drop_db", "drop_db"]),
    ]  # fmt: skip
    for methods, names in lies:
        assert refused(body, version, methods, names).rpc_code == -32020


def test_a_name_header_on_a_method_without_a_name_says_nothing() -> None:
    sent = message("tools/list", {"_meta": META})
    asked = mcp.read(sent, protocol_version=MODERN, mcp_method=["tools/list"], mcp_name=["whatever"])
    assert isinstance(asked, mcp.ListTools)


@pytest.mark.parametrize(
    "meta",
    [{}, {mcp.VERSION_KEY: MODERN}, {mcp.CAPABILITIES_KEY: {}}, {"other": 1}],
    ids=["empty", "no capabilities", "no version", "other"],
)
def test_a_modern_request_carries_its_envelope(meta: dict[str, Any]) -> None:
    error = refused(message("tools/list", {"_meta": meta}), MODERN, ["tools/list"])
    assert (error.http_status, error.rpc_code, error.code) == (400, -32602, "DW-328")
    assert refused(message("tools/list", None), MODERN, ["tools/list"]).code == "DW-328"


@pytest.mark.parametrize("version", [1, None, [MODERN], {}, True], ids=repr)
def test_a_version_that_is_no_text_never_equals_the_header(version: object) -> None:
    sent = message("tools/list", {"_meta": {**META, mcp.VERSION_KEY: version}})
    assert refused(sent, MODERN, ["tools/list"]).rpc_code == -32020
    assert refused(sent, None, ["tools/list"]).rpc_code in {-32020, -32022}


@pytest.mark.parametrize("meta", [[], "x", 1, None], ids=repr)
@pytest.mark.parametrize("version", [MODERN, "2025-11-25"])
def test_meta_is_an_object(meta: object, version: str) -> None:
    assert refused(message("tools/list", {"_meta": meta}), version).rpc_code == -32602


@pytest.mark.parametrize(
    "name",
    ["", "echo ", " echo", "echo\u200b", "ｅｃｈｏ", "e\u0301cho", "echo\n", "s1:echo", "a b", "*", "x" * 129, "\x00"],
    ids=repr,
)
@pytest.mark.parametrize("era", BOTH)
def test_K10_a_name_that_no_tool_can_have_is_never_matched(era: Era, name: str) -> None:
    if name:
        asked = ask(era, "tools/call", {"name": name, "arguments": []})
        assert type(asked) is mcp.NoSuchTool
        assert asked.name == name
    else:
        assert ask_refused(era, "tools/call", {"name": name}).rpc_code == -32602


WRONG = [1, 1.5, True, None, [], ["echo"], {"toString": "x"}, "", "x" * 8193]


@pytest.mark.parametrize("era", BOTH)
@pytest.mark.parametrize(
    ("method", "params", "key"),
    [
        ("tools/call", {}, "name"), ("prompts/get", {}, "name"), ("resources/read", {}, "uri"),
        ("completion/complete", {"argument": {"name": "a", "value": "v"}}, "ref"),
        ("completion/complete", {"ref": {"type": "ref/prompt", "name": "p"}}, "argument"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("value", WRONG, ids=lambda value: repr(value)[:16])
def test_K12_names_of_the_wrong_type_are_invalid_params(
    era: Era, method: str, params: dict[str, Any], key: str, value: object
) -> None:
    error = ask_refused(era, method, {**params, key: value})
    assert (error.http_status, error.rpc_code, error.request_id) == (400, -32602, 7)


@pytest.mark.parametrize(
    ("era", "method", "params"),
    [
        (Era.LEGACY, "tools/call", {"name": "echo", "arguments": []}),
        (Era.LEGACY, "prompts/get", {"name": "p", "arguments": "x"}),
        (Era.LEGACY, "tools/list", {"cursor": 1}),
        (Era.LEGACY, "tools/list", {"cursor": "c" * 8193}),
        (Era.LEGACY, "initialize", {}),
        (Era.LEGACY, "logging/setLevel", {"level": 1}),
        (Era.LEGACY, "resources/subscribe", {}),
        (Era.LEGACY, "resources/unsubscribe", {"uri": None}),
        (Era.MODERN, "completion/complete", {"ref": {"type": "ref/x", "name": "p"}, "argument": {"name": "a", "value": ""}}),
        (Era.MODERN, "completion/complete", {"ref": {"type": [], "name": "p"}, "argument": {"name": "a", "value": ""}}),
        (Era.MODERN, "completion/complete", {"ref": {"type": "ref/prompt", "uri": "p"}, "argument": {"name": "a", "value": ""}}),
        (Era.MODERN, "completion/complete", {"ref": {"type": "ref/prompt", "name": "p"}, "argument": {"name": "a"}}),
        (Era.MODERN, "completion/complete", {"ref": {"type": "ref/prompt", "name": "p"}, "argument": {"name": "a", "value": "v" * 8193}}),
        (Era.MODERN, "completion/complete", {"ref": {"type": "ref/prompt", "name": "p"}, "argument": {"value": ""}}),
        (Era.MODERN, "subscriptions/listen", {}),
        (Era.MODERN, "subscriptions/listen", {"notifications": []}),
        (Era.MODERN, "subscriptions/listen", {"notifications": {"resourceSubscriptions": "mem://open"}}),
        (Era.MODERN, "subscriptions/listen", {"notifications": {"resourceSubscriptions": [1]}}),
        (Era.MODERN, "subscriptions/listen", {"notifications": {"taskIds": "t"}}),
        (Era.MODERN, "subscriptions/listen", {"notifications": {"taskIds": [{}]}}),
        (Era.MODERN, "tasks/get", {}),
        (Era.LEGACY, "tasks/result", {"taskId": 7}),
        (Era.LEGACY, "tasks/cancel", {"taskId": "x" * 9000}),
        (Era.MODERN, "subscriptions/listen", {"notifications": {"resourceSubscriptions": [""]}}),
        (Era.MODERN, "subscriptions/listen", {"notifications": {"resourceSubscriptions": ["u"] * 1001}}),
    ],
    ids=lambda value: str(value)[:70],
)  # fmt: skip
def test_K12_parameters_of_the_wrong_shape_are_invalid_params(era: Era, method: str, params: dict[str, Any]) -> None:
    assert ask_refused(era, method, params).rpc_code == -32602


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("completion/complete", {"ref": {"type": "ref/prompt", "name": "p", "Name": "secret"}, "argument": {"name": "a", "value": ""}}),
        ("completion/complete", {"ref": {"type": "ref/prompt", "name": "p"}, "argument": {"name": "a", "value": "", "VALUE": "x"}}),
        ("subscriptions/listen", {"notifications": {"ResourceSubscriptions": ["mem://secret"]}}),
    ],
    ids=["ref", "argument", "filter"],
)  # fmt: skip
def test_K7_twins_inside_what_is_decided_on_are_refused(method: str, params: dict[str, Any]) -> None:
    assert ask_refused(Era.MODERN, method, params).rpc_code == -32600


@pytest.mark.parametrize("name", ["initialized", "cancelled", "progress", "roots/list_changed"])
def test_notifications_of_the_older_revisions_are_known(name: str) -> None:
    method = f"notifications/{name}"
    sent = {"jsonrpc": "2.0", "method": method, "params": {"x": 1}}
    expected = mcp.ClientNotification(Era.LEGACY, "2025-06-18", None, method, {"x": 1})
    assert mcp.read(sent, protocol_version="2025-06-18") == expected


def test_modern_notifications_need_no_envelope_but_may_not_lie() -> None:
    sent = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
    assert isinstance(mcp.read(sent, protocol_version=MODERN), mcp.ClientNotification)
    assert isinstance(
        mcp.read(sent, protocol_version=MODERN, mcp_method=["notifications/cancelled"]), mcp.ClientNotification
    )
    assert refused(sent, MODERN, ["tools/list"]).rpc_code == -32020
    with_meta = {**sent, "params": {"_meta": META}}
    assert refused(with_meta, None).rpc_code == -32020
    roots = {"jsonrpc": "2.0", "method": "notifications/roots/list_changed"}
    assert mcp.read(roots, protocol_version=MODERN) == mcp.Unknown(Era.MODERN, MODERN, None, roots["method"])


@pytest.mark.parametrize("version", [MODERN, None])
def test_K15_a_request_without_an_id_is_refused(version: str | None) -> None:
    for method in ("tools/call", "tools/list", "anything"):
        error = refused({"jsonrpc": "2.0", "method": method, "params": {"name": "drop_db"}}, version)
        assert (error.rpc_code, error.request_id) == (-32600, None)


def test_responses_belong_to_the_older_revisions() -> None:
    sent = {"jsonrpc": "2.0", "id": "up-1", "result": {}}
    assert mcp.read(sent, protocol_version="2025-11-25") == mcp.ClientResponse(Era.LEGACY, "2025-11-25", "up-1")
    assert refused(sent, MODERN).rpc_code == -32600


JUNK: st.SearchStrategy[Any] = st.just([]) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["echo", MODERN]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
TARGETS = st.fixed_dictionaries(
    {},
    optional={"type": st.sampled_from(["ref/prompt", "ref/resource"]) | JUNK, "name": JUNK, "uri": JUNK, "value": JUNK},
)
FILTERS = st.fixed_dictionaries({}, optional={"resourceSubscriptions": JUNK, "taskIds": JUNK, "toolsListChanged": JUNK})
PARAMS = st.fixed_dictionaries(
    {},
    optional={
        "name": JUNK, "uri": JUNK, "arguments": JUNK, "cursor": JUNK, "level": JUNK, "protocolVersion": JUNK,
        "ref": TARGETS, "argument": TARGETS, "notifications": FILTERS, "taskId": JUNK, "task": JUNK,
    },
)  # fmt: skip
ALL_METHODS = [
    "tools/call", "tools/list", "prompts/get", "prompts/list", "resources/read", "resources/list", "completion/complete",
    "resources/templates/list", "resources/subscribe", "resources/unsubscribe", "initialize", "ping", "logging/setLevel",
    "server/discover", "subscriptions/listen", "notifications/cancelled", "tasks/get", "tasks/result", "tasks/update",
    "tasks/cancel", "tasks/list", "x",
]  # fmt: skip
METHODS = st.sampled_from(ALL_METHODS)
HEADERS = st.lists(st.text() | METHODS | st.just("echo"), max_size=2)


@given(
    METHODS | JUNK,
    PARAMS | JUNK,
    st.booleans(),
    st.none() | st.sampled_from([MODERN, "2025-06-18", "x"]),
    HEADERS,
    HEADERS,
)
def test_any_message_is_an_ask_or_a_jsonrpc_error(
    method: object, params: Any, modern: bool, version: str | None, methods: list[str], names: list[str]
) -> None:
    if modern and isinstance(params, dict):
        params = {**params, "_meta": META}
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    asked = ask_or_none(body, version, methods, names)
    assert asked is None or (asked.id, asked.era is Era.MODERN) == (1, version == MODERN)


@pytest.mark.parametrize("method", ALL_METHODS)
@given(params=PARAMS)
def test_any_parameters_are_an_ask_or_a_jsonrpc_error(method: str, params: dict[str, Any]) -> None:
    for era in BOTH:
        name = params.get(NAMED.get(method, ""))
        names = [name] if isinstance(name, str) else []
        body = message(method, {**params, "_meta": META if era is Era.MODERN else {}})
        version = MODERN if era is Era.MODERN else None
        asked = ask_or_none(body, version, [method], names)
        assert asked is None or asked.era is era


def ask_or_none(body: dict[str, Any], version: str | None, methods: list[str], names: list[str]) -> Ask | None:
    try:
        return mcp.read(body, protocol_version=version, mcp_method=methods, mcp_name=names)
    except JsonRpcError as error:
        assert error.http_status == 400
        assert error.rpc_code in {-32600, -32602, -32020, -32022}
        return None


def message(method: str, params: dict[str, Any] | None) -> dict[str, Any]:
    whole: dict[str, Any] = {"jsonrpc": "2.0", "id": 7, "method": method}
    return whole if params is None else {**whole, "params": params}


def ask(era: Era, method: str, params: dict[str, Any]) -> Ask:
    if era is Era.LEGACY:
        return mcp.read(message(method, params), protocol_version="2025-11-25")
    name = params.get(NAMED.get(method, ""))
    names = [f"=?base64?{base64.b64encode(name.encode()).decode()}?="] if isinstance(name, str) else []
    body = message(method, {**params, "_meta": META})
    return mcp.read(body, protocol_version=MODERN, mcp_method=[method], mcp_name=names)


def ask_refused(era: Era, method: str, params: dict[str, Any]) -> JsonRpcError:
    name = params.get(NAMED.get(method, ""))
    if era is Era.MODERN and name is not None and not isinstance(name, str):
        era = Era.LEGACY  # No header can say what is no text; the older revisions need none.
    with pytest.raises(JsonRpcError) as error:
        ask(era, method, params)
    return error.value


def refused(
    body: dict[str, Any], version: str | None, methods: Sequence[str] = (), names: Sequence[str] = ()
) -> JsonRpcError:
    with pytest.raises(JsonRpcError) as error:
        mcp.read(body, protocol_version=version, mcp_method=methods, mcp_name=names)
    return error.value
