"""JSON from and to upstreams: what they send is not ours to judge, only to read and write again. Pure."""

import json
import math
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


def decoded(body: bytes) -> dict[str, Any] | None:
    """Return the JSON object in ``body``, or None."""
    try:
        value = _DECODER.decode(body.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def written(value: object) -> bytes:
    """Return what ``decoded`` gave as JSON. Half of a surrogate pair, as a cut text holds it, stays an escape."""
    try:
        return encode(value)
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"), check_circular=False).encode("ascii")
