"""JSON from and to upstreams: what they send is not ours to judge, only to read and write again. Pure."""

import json
import math
from collections.abc import Callable
from typing import Any, Final, NoReturn

from doorward.protocol.jsonrpc import encode


def _no_constant(name: str) -> NoReturn:
    message = f"{name} is not JSON"
    raise ValueError(message)


def _finite(text: str) -> float:
    # 1e999 would become infinity, which cannot be written again.
    value = float(text)
    return value if math.isfinite(value) else _no_constant(text[:60])


_DECODER: Final = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite)
_SCAN: Final[Callable[[str, int], tuple[Any, int]]] = _DECODER.scan_once  # type: ignore[attr-defined]


def _scanned(text: str) -> Any:
    """Return what ``_DECODER.decode`` does; white space around the value, of which there is seldom any, takes its way."""
    try:
        value, end = _SCAN(text, 0)
    except StopIteration:
        return _DECODER.decode(text)
    return value if end == len(text) else _DECODER.decode(text)


def decoded(body: bytes) -> dict[str, Any] | None:
    """Return the JSON object in ``body``, or None."""
    try:
        text = body.decode("utf-8")
        value = _scanned(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def written(value: object) -> bytes:
    """Return what ``decoded`` gave as JSON. Half of a surrogate pair, as a cut text holds it, stays an escape."""
    try:
        return encode(value)
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"), check_circular=False).encode("ascii")
