"""JSON-RPC 2.0 envelopes: one strict reader for everything that decides, one writer for everything that is sent.

What two parsers could read differently is refused (security K5 to K7, K12, E7): duplicate keys, keys that differ only
in case or Unicode form, non-finite and over-large numbers, lone surrogates, deep nesting, batches. The decision is made
on the decoded message and its re-encoding is what is forwarded, never the bytes that came in.
"""

import json
import json.encoder as json_encoder
import re
import unicodedata
from collections.abc import Callable, Mapping
from functools import cache
from itertools import accumulate, repeat
from types import MappingProxyType
from typing import Any, NamedTuple, NoReturn

from doorward.protocol import faults
from doorward.protocol.errors import JsonRpcError
from doorward.protocol.faults import Fault

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603

MAX_DEPTH = 64
MAX_INTEGER = 2**53 - 1
"""Every JSON reader agrees on integers up to here (RFC 8259 section 6)."""
MAX_ID = 256
MAX_NAMES = 16 * 1024

Id = str | int

_MEMBERS = frozenset({"jsonrpc", "id", "method", "params", "result", "error"})
PARAMETERS = frozenset({
    "_meta", "argument", "arguments", "capabilities", "clientInfo", "content", "context", "cursor", "inputResponses",
    "level", "message", "name", "notifications", "progress", "progressToken", "protocolVersion", "reason", "ref",
    "requestId", "requestState", "task", "taskId", "total", "uri",
})  # fmt: skip
"""Members of ``params`` in all MCP revisions. No two are twins of each other."""

_MAX_INTEGER_TEXT = 17
_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_SKIPPED = str.maketrans("", "", "0123456789+-.eEtrufalsn,: \t\r\n")
_STEP = {"[": 1, "{": 1, "]": -1, "}": -1}
_UNSEEN = frozenset({"Cc", "Cf"})


class Request(NamedTuple):
    """A message that wants an answer."""

    id: Id
    method: str
    params: Mapping[str, Any]


class Notification(NamedTuple):
    """A message that wants none."""

    method: str
    params: Mapping[str, Any]


class Response(NamedTuple):
    """An answer to a request that we sent (MCP revisions up to 2025-11-25)."""

    id: Id


Decoded = tuple[dict[str, Any], bytes | None]
"""A message, and its encoding where that is known already: then it is what came, byte for byte."""


def decode(body: bytes, *, max_depth: int = MAX_DEPTH) -> Decoded:
    """Return the one object in ``body``. Raises ``JsonRpcError`` -32700 or -32600, both with HTTP 400.

    Costs a few microseconds for a small call: the C scanner does the work and calls back for numbers, and for objects
    where it is not what ``encode`` writes.
    """
    text = _text(body, max_depth)
    ours = _in_our_own_form(text)
    message = _strict_object(text) if ours is None else ours
    if not _MEMBERS.issuperset(message):
        raise _ambiguous("unknown members of the envelope")
    params = message.get("params")
    if isinstance(params, dict):
        refuse_twins(params, PARAMETERS)
    return message, None if ours is None else body


def decode_object(body: bytes, *, max_depth: int = MAX_DEPTH) -> dict[str, Any]:
    """Return the JSON object in ``body`` with the strictness above, whatever its members; for other JSON we read."""
    return _strict_object(_text(body, max_depth))


def _text(body: bytes, max_depth: int) -> str:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise _broken("not UTF-8") from None
    if text.count("[") + text.count("{") > max_depth and _depth(text) > max_depth:
        raise _limits(f"nested deeper than {max_depth}")
    return text


def _in_our_own_form(text: str) -> dict[str, Any] | None:
    """Return the object in a text that is what ``encode`` makes of it, character for character, else None.

    Such a text is as strict as can be: no member is there twice, since it would be written once; nothing is infinite,
    since that is not written at all; and without an escape there is no half of a surrogate pair. Integers are bounded.
    """
    if "\\" in text or '": ' in text:
        return None  # The usual other forms: not worth a try.
    try:
        value, _ = _LAX_SCAN(text, 0)
        same = "".join(_ENCODE(value, 0)) == text
    except (StopIteration, ValueError, JsonRpcError):
        return None
    return value if same and isinstance(value, dict) else None


def _strict_object(text: str) -> dict[str, Any]:
    try:
        value, end = _SCAN(text, 0)
    except (StopIteration, json.JSONDecodeError):
        value, end = None, -1
    if end != len(text):
        value = _decoded(text)
    # A string can only get a lone surrogate from an escape: UTF-8 has none.
    if "\\ud" in text or "\\uD" in text:
        _refuse_lone_surrogates(value)
    if isinstance(value, list):
        raise _invalid("an array", faults.MESSAGE_BATCH)
    if not isinstance(value, dict):
        raise _invalid("not an object")
    return value


def refuse_twins(members: Mapping[str, Any], known: frozenset[str]) -> None:
    """Refuse keys that a laxer reader could take for another one: for a known name, or for each other.

    Go's ``encoding/json`` matches names without regard to case (CVE-2026-27896), C readers stop at NUL, some fold
    Unicode. Compared without case, compatibility form and invisible characters. Raises ``JsonRpcError`` -32600, for
    more than ``MAX_NAMES`` characters of names too: folding costs microseconds each.
    """
    if known.issuperset(members):
        return
    if sum(map(len, members)) > MAX_NAMES:
        raise _limits("too many or too long member names")
    taken = dict(_folds(known))
    for name in members:
        if taken.setdefault(_folded(name), name) != name:
            raise _ambiguous("members that differ only in case or form")


def classify(message: Mapping[str, Any]) -> Request | Notification | Response:
    """Return what kind of message this is (JSON-RPC 2.0 sections 4 and 5). Raises ``JsonRpcError`` -32600 or -32602."""
    message_id: Any = message.get("id")
    has_id = "id" in message
    if has_id and not _is_id(message_id):
        raise _invalid("id is neither a string nor an integer")
    if message.get("jsonrpc") != "2.0":
        raise _invalid("jsonrpc is not 2.0", request_id=message_id)
    if "method" not in message:
        if not has_id or ("result" in message) == ("error" in message):
            raise _invalid("neither method nor one of result and error", request_id=message_id)
        return Response(message_id)
    method, params = message["method"], message.get("params", {})
    if not isinstance(method, str) or "result" in message or "error" in message:
        raise _invalid("method is no string, or comes with a result", request_id=message_id)
    if not isinstance(params, dict):
        raise params_invalid("params is not an object", message_id)
    return Request(message_id, method, params) if has_id else Notification(method, params)


def encode(value: object) -> bytes:
    """Return compact UTF-8 JSON. ``value`` is JSON-like: what ``decode`` returned or what we built."""
    return "".join(_ENCODE(value, 0)).encode("utf-8")


def error_response(
    request_id: Id | None, code: int, message: str, data: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return an error answer; ``id`` is null where the request's is not known (JSON-RPC 2.0 section 5)."""
    error: dict[str, Any] = {"code": code, "message": message}
    if data is not None:
        error["data"] = dict(data)
    return {"jsonrpc": "2.0", "id": request_id, "error": error}


def refusal(error: JsonRpcError) -> dict[str, Any]:
    """Return the answer for a refused message."""
    return error_response(error.request_id, error.rpc_code, error.message, error.data)


def params_invalid(reason: str, request_id: Id | None) -> JsonRpcError:
    """Return the error for params of the wrong shape: -32602, HTTP 400."""
    return JsonRpcError(faults.PARAMS_INVALID, INVALID_PARAMS, reason=reason, request_id=request_id)


def _decoded(text: str) -> Any:
    """Return what is in a text with white space around it, or say what is wrong with it. Raises ``JsonRpcError``."""
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise _broken(error.msg) from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _ambiguous("a member twice")
    return members


def _integer(text: str) -> int:
    if len(text) > _MAX_INTEGER_TEXT or not -MAX_INTEGER <= (value := int(text)) <= MAX_INTEGER:
        raise _limits("an integer beyond 2^53-1")
    return value


def _float(text: str) -> float:
    value = float(text)
    if value - value != 0:  # 1e999 is infinity
        raise _limits("a number beyond the range of doubles")
    return value


def _constant(name: str) -> NoReturn:
    raise _broken(f"{name} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant)
_SCAN: Callable[[str, int], tuple[Any, int]] = _DECODER.scan_once  # type: ignore[attr-defined]
"""What ``_DECODER.decode`` calls after it has looked for white space twice."""
_LAX_SCAN: Callable[[str, int], tuple[Any, int]] = json.JSONDecoder(  # type: ignore[attr-defined]
    parse_int=_integer, parse_constant=_constant
).scan_once
"""The same without looking for members that are there twice: calling back for each object takes as long as all else."""
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":"))
_ENCODE = json_encoder.c_make_encoder(  # type: ignore[attr-defined]
    None, _ENCODER.default, json_encoder.encode_basestring, None, ":", ",", *(False, False, False)
)
"""What ``_ENCODER.encode`` makes anew at every call, which takes as long as encoding a call."""


def _depth(text: str) -> int:
    """Return an upper bound of the depth the scanner reaches, exact for valid JSON.

    Up to its first error the scanner splits text into strings and the rest exactly as ``_STRING`` does, so it never
    meets a bracket that is not counted here.
    """
    outside_strings = _STRING.sub("", text).translate(_SKIPPED)
    return max(accumulate(map(_STEP.get, outside_strings, repeat(0))), default=0)


def _refuse_lone_surrogates(value: object) -> None:
    try:
        encode(value)
    except UnicodeEncodeError:
        raise _broken("a lone surrogate") from None


@cache
def _folds(known: frozenset[str]) -> Mapping[str, str]:
    return MappingProxyType({_folded(name): name for name in known})


def _folded(name: str) -> str:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return "".join(character for character in folded if unicodedata.category(character) not in _UNSEEN)


def _is_id(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= MAX_ID
    return isinstance(value, int) and not isinstance(value, bool)


def _broken(reason: str) -> JsonRpcError:
    return JsonRpcError(faults.MESSAGE_NOT_JSON, PARSE_ERROR, reason=reason)


def _limits(reason: str) -> JsonRpcError:
    return JsonRpcError(faults.MESSAGE_LIMITS, INVALID_REQUEST, reason=reason)


def _ambiguous(reason: str) -> JsonRpcError:
    return JsonRpcError(faults.MESSAGE_AMBIGUOUS, INVALID_REQUEST, reason=reason)


def _invalid(reason: str, fault: Fault = faults.MESSAGE_INVALID, *, request_id: Id | None = None) -> JsonRpcError:
    return JsonRpcError(fault, INVALID_REQUEST, reason=reason, request_id=request_id)
