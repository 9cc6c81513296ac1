# ruff: noqa: RUF001  (look-alike characters are the point)
# ruff: noqa: PT017  (a refusal is one of the permitted ends of these tests)

import json
import math
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.protocol import faults, jsonrpc
from doorward.protocol.errors import JsonRpcError
from doorward.protocol.jsonrpc import Notification, Request, Response

CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "echo", "arguments": {"text": "hé"}}}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-jsonrpc.MAX_INTEGER, jsonrpc.MAX_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


def test_a_call_is_decoded_and_encoded_again_compactly() -> None:
    body = json.dumps(CALL).encode()
    assert jsonrpc.decode(body)[0] == CALL
    assert jsonrpc.encode(CALL) == (
        '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"hé"}}}'.encode()
    )


@given(JSON)
def test_K30_what_is_encoded_is_decoded_to_the_same(value: Any) -> None:
    body = jsonrpc.encode({"jsonrpc": "2.0", "id": 1, "result": value})
    assert jsonrpc.decode(body)[0]["result"] == value
    assert json.loads(body)["result"] == value


NEARLY_OURS = st.lists(
    st.sampled_from(['"a"', '"b"', '":"', '"a b"', "1", "-0", "1.0", "1e5", "{", "}", "[", "]", ":", ",", " ", '"é"', "\\n"]),
    max_size=14,
).map("".join)  # fmt: skip


@given(JSON.map(jsonrpc.encode) | NEARLY_OURS.map(lambda text: text.encode()))
def test_K6_what_is_passed_on_as_it_came_is_what_the_strict_reader_read_and_we_would_write(inner: bytes) -> None:
    body = b'{"result":' + inner + b"}"
    try:
        strict = jsonrpc.decode_object(body)
    except JsonRpcError as refused:
        with pytest.raises(JsonRpcError) as again:
            jsonrpc.decode(body)
        assert (again.value.fault, again.value.reason) == (refused.fault, refused.reason)
    else:
        if strict.keys() > {"result"}:
            return  # More members of the envelope, which are another test's.
        read = jsonrpc.decode(body)
        assert read[0] == strict
        assert read[1] in {None, body}
        assert read[1] is None or jsonrpc.encode(strict) == body


def test_what_is_in_our_own_form_is_not_encoded_again() -> None:
    ours = jsonrpc.encode(CALL)
    assert jsonrpc.decode(ours) == (CALL, ours)
    for other in (json.dumps(CALL).encode(), b" " + ours, ours + b"\n", ours.replace(b"h\xc3\xa9", b"h\\u00e9")):
        assert jsonrpc.decode(other) == (CALL, None)


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()) | st.text().map(str.encode))
def test_any_bytes_are_decoded_as_the_standard_reader_does_or_refused(body: bytes) -> None:
    try:
        value = jsonrpc.decode_object(body)
    except JsonRpcError as error:
        assert (error.http_status, error.rpc_code in {-32700, -32600}) == (400, True)
    else:
        assert value == json.loads(body)


@pytest.mark.parametrize("body", [b"[]", b"[{}]", b"[[{}]]", json.dumps([CALL, CALL]).encode()])
def test_K5_batches_are_refused(body: bytes) -> None:
    error = refused(body)
    assert (error.rpc_code, error.fault) == (-32600, faults.MESSAGE_BATCH)


@pytest.mark.parametrize(
    "body",
    [
        b'{"method":"tools/list","method":"tools/call"}', b'{"params":{},"params":{}}', b'{"params":{"name":1,"name":2}}',
        b'{"params":{"arguments":{"a":1,"b":{"c":1,"c":1}}}}', b'{"params":{"na\\u006de":"a","name":"b"}}',
        b'{"result":[{"a":1,"a":1}]}',
    ],
)  # fmt: skip
def test_K6_a_member_that_comes_twice_is_refused_at_every_level(body: bytes) -> None:
    error = refused(body)
    assert (error.rpc_code, error.fault) == (-32600, faults.MESSAGE_AMBIGUOUS)


@pytest.mark.parametrize(
    "name", ["Method", "METHOD", "param\u017f", "name", "id\u0000", "\uff4dethod", "method ", "", "jsonrpc\u200b", "$x"]
)
def test_K7_unknown_members_of_the_envelope_are_refused(name: str) -> None:
    assert refused(jsonrpc.encode({**CALL, name: 1})).fault is faults.MESSAGE_AMBIGUOUS


@pytest.mark.parametrize(
    "name",
    [
        "Name",
        "NAME",
        "name\u0000",
        "\u200bname",
        "\uff4eame",
        "argument\u017f",
        "Uri",
        "_Meta",
        "\ufeffcursor",
        "ＵＲＩ",
    ],
)
def test_K7_a_twin_of_a_known_parameter_is_refused_even_alone(name: str) -> None:
    assert refused(jsonrpc.encode({**CALL, "params": {name: "x"}})).fault is faults.MESSAGE_AMBIGUOUS
    assert refused(jsonrpc.encode({**CALL, "params": {"name": "echo", name: "x"}})).fault is faults.MESSAGE_AMBIGUOUS


def test_K7_twins_among_unknown_parameters_are_refused_and_strangers_are_not() -> None:
    assert refused(jsonrpc.encode({**CALL, "params": {"extra": 1, "Extra": 2}})).fault is faults.MESSAGE_AMBIGUOUS
    assert jsonrpc.decode(jsonrpc.encode({**CALL, "params": {"extra": 1, "other": 2}}))[0]["params"]["extra"] == 1
    assert jsonrpc.decode(jsonrpc.encode({**CALL, "params": {"arguments": {"a": 1, "A": 2}}}))[0]["id"] == 1


@pytest.mark.parametrize("names", [["x" * 16385], [f"name-{i}" for i in range(2000)]], ids=["long", "many"])
def test_L15_names_that_would_cost_too_much_to_compare_are_refused(names: list[str]) -> None:
    assert refused(jsonrpc.encode({**CALL, "params": dict.fromkeys(names, 1)})).fault is faults.MESSAGE_LIMITS


def test_no_two_known_parameters_are_twins() -> None:
    jsonrpc.refuse_twins({**dict.fromkeys(jsonrpc.PARAMETERS, 1), "x": 1}, jsonrpc.PARAMETERS)


@pytest.mark.parametrize(
    "body",
    [
        b"", b" ", b"{", b'{"a":}', b"nul", b"{}x", b'\xef\xbb\xbf{"jsonrpc":"2.0"}', b"\xff\xfe{\x00}\x00", b"\x80",
        '{"a":1}'.encode("utf-16"), b'{"a":NaN}', b'{"a":Infinity}', b'{"a":-Infinity}', b'{"a":"\n"}', b"{'a':1}",
        b'{"a":"\\ud800"}', b'{"a":"\\uDC00x"}', b'{"\\ud800":1}', b'{"a":01}', b'{"a":+1}', b'{"a":\xed\xa0\x80}',
        b'{"a":"\\x"}', b'["\\ud800"]',
    ],
    ids=repr,
)  # fmt: skip
def test_E7_what_is_not_strict_json_in_utf_8_is_a_parse_error(body: bytes) -> None:
    error = refused(body)
    assert (error.rpc_code, error.http_status, error.fault) == (-32700, 400, faults.MESSAGE_NOT_JSON)


@pytest.mark.parametrize("body", [b"1", b'"x"', b"null", b"true", b"1.5"])
def test_what_is_no_object_is_an_invalid_request(body: bytes) -> None:
    error = refused(body)
    assert (error.rpc_code, error.fault) == (-32600, faults.MESSAGE_INVALID)


@pytest.mark.parametrize(
    "number",
    ["9007199254740992", "-9007199254740992", "1" * 5000, "1e999", "-1e999", "1" * 400 + ".0", "12345678901234567"],
    ids=lambda number: f"{number[:20]}-{len(number)}",
)
def test_K12_numbers_that_readers_disagree_about_are_refused(number: str) -> None:
    for body in (f'{{"id":{number}}}', f'{{"params":{{"arguments":[{number}]}}}}'):
        error = refused(body.encode())
        assert (error.rpc_code, error.fault) == (-32600, faults.MESSAGE_LIMITS)


def test_the_largest_safe_numbers_and_a_surrogate_pair_are_accepted() -> None:
    body = b'{"id":9007199254740991,"result":[-9007199254740991,1e308,-0,0.5,"\\ud83d\\ude80"]}'
    assert jsonrpc.decode(body)[0]["result"] == [-9007199254740991, 1e308, 0, 0.5, "🚀"]


@pytest.mark.parametrize(("depth", "accepted"), [(64, True), (65, False), (100_000, False)])
@pytest.mark.parametrize("kind", ["[", "{"])
def test_L15_nesting_is_limited(depth: int, accepted: bool, kind: str) -> None:
    inner = depth - 1
    nested = "[" * inner + "]" * inner if kind == "[" else '{"a":' * (inner - 1) + "{}" + "}" * (inner - 1)
    body = f'{{"result":{nested}}}'.encode()
    started = time.process_time()
    if accepted:
        assert "result" in jsonrpc.decode(body)[0]
    else:
        assert refused(body).fault is faults.MESSAGE_LIMITS
    assert time.process_time() - started < 0.1


def test_brackets_in_strings_are_no_nesting() -> None:
    text = '[{"\\' * 1000
    assert jsonrpc.decode(jsonrpc.encode({"result": [text, text]}))[0]["result"] == [text, text]
    assert jsonrpc.decode(jsonrpc.encode({"result": [[] for _ in range(1000)]}))[0]["result"][0] == []


@given(st.lists(st.sampled_from([*'[]{}":,\\a1 ', '"a":', '{"a":', "[["]), max_size=120).map("".join))
def test_L15_the_limit_is_the_true_depth_for_every_text(text: str) -> None:
    body = text.encode()
    try:
        jsonrpc.decode_object(body, max_depth=3)
    except JsonRpcError as error:
        if error.fault is faults.MESSAGE_LIMITS:
            assert not _is_shallow_json(text)
    else:
        assert _depth(json.loads(text)) <= 3


def test_E7_large_bodies_are_refused_or_read_quickly() -> None:
    bodies = [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'"' + b"\\" * 100_000,
        b'{"a":"' + b"[" * 100_000,
        b"{" + b'"' * 99_999,
    ]
    started = time.process_time()
    for body in bodies:
        refused(body)
    assert time.process_time() - started < 0.5


def test_messages_are_told_apart() -> None:
    assert jsonrpc.classify(CALL) == Request(1, "tools/call", CALL["params"])  # type: ignore[arg-type]
    assert jsonrpc.classify({"jsonrpc": "2.0", "method": "ping", "id": "a"}) == Request("a", "ping", {})
    assert jsonrpc.classify({"jsonrpc": "2.0", "method": "notifications/x"}) == Notification("notifications/x", {})
    assert jsonrpc.classify({"jsonrpc": "2.0", "id": 1, "result": {}}) == Response(1)
    assert jsonrpc.classify({"jsonrpc": "2.0", "id": "x", "error": {}}) == Response("x")


@pytest.mark.parametrize(
    "message_id", [None, True, 1.5, [], {}, "x" * 257, math.inf], ids=lambda value: repr(value)[:20]
)
def test_K12_an_id_is_a_string_or_an_integer(message_id: object) -> None:
    error = shape_refused({**CALL, "id": message_id})
    assert (error.rpc_code, error.request_id) == (-32600, None)


@pytest.mark.parametrize(
    "message",
    [
        {}, {"jsonrpc": "1.0", "method": "x"}, {"jsonrpc": 2.0, "method": "x"}, {"method": "x"}, {"jsonrpc": "2.0"},
        {"jsonrpc": "2.0", "id": 1}, {"jsonrpc": "2.0", "result": {}}, {"jsonrpc": "2.0", "id": 1, "result": 1, "error": 1},
        {"jsonrpc": "2.0", "id": 1, "method": "x", "result": {}}, {"jsonrpc": "2.0", "id": 1, "method": "x", "error": {}},
        {"jsonrpc": "2.0", "id": 1, "method": None}, {"jsonrpc": "2.0", "method": ["tools/list"]},
    ],
    ids=str,
)  # fmt: skip
def test_K12_messages_of_the_wrong_shape_are_invalid_requests(message: dict[str, Any]) -> None:
    error = shape_refused(message)
    assert (error.rpc_code, error.http_status, error.request_id) == (-32600, 400, message.get("id"))


@pytest.mark.parametrize("params", [[], ["echo"], "x", 1, None, True], ids=repr)
def test_K12_params_are_an_object(params: object) -> None:
    error = shape_refused({**CALL, "params": params})
    assert (error.rpc_code, error.request_id) == (-32602, 1)


@given(st.dictionaries(st.sampled_from(sorted({*CALL, "result", "error"})), JSON))
def test_any_object_is_classified_or_refused(message: dict[str, Any]) -> None:
    try:
        jsonrpc.classify({"jsonrpc": "2.0", **message})
    except JsonRpcError as error:
        assert error.http_status == 400


def test_errors_are_answered_in_the_form_of_the_protocol() -> None:
    assert jsonrpc.error_response("a", -32601, "no") == {
        "jsonrpc": "2.0",
        "id": "a",
        "error": {"code": -32601, "message": "no"},
    }
    with_data = jsonrpc.error_response(None, -32022, "no", {"supported": []})
    assert with_data["error"]["data"] == {"supported": []}
    answer = jsonrpc.refusal(jsonrpc.params_invalid("name is 1", 7))
    assert answer == {
        "jsonrpc": "2.0",
        "id": 7,
        "error": {"code": -32602, "message": f"{faults.PARAMS_INVALID.cause} (DW-325)"},
    }


def _depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0


def _is_shallow_json(text: str) -> bool:
    try:
        return _depth(json.loads(text)) <= 3
    except ValueError:
        return False


def refused(body: bytes) -> JsonRpcError:
    with pytest.raises(JsonRpcError) as error:
        jsonrpc.decode(body)
    assert error.value.http_status == 400
    return error.value


def shape_refused(message: dict[str, Any]) -> JsonRpcError:
    with pytest.raises(JsonRpcError) as error:
        jsonrpc.classify(message)
    return error.value
