"""What Schemathesis loads: nobody ends the credential that they ask with, and what was answered is counted."""

import atexit
import json
import os
import re
import zlib
from collections import Counter
from itertools import count
from pathlib import Path
from typing import Any

import schemathesis

OWN = frozenset(os.environ["FUZZ_OWN"].split())
"""Names and ids of whoever asks: without them the rest of a run would see nothing but 401."""
NEW = re.compile(r"\bu[0-9]{6}\b")
"""Stands in names that must not be there yet."""
OFF: list[list[str]] = json.loads(os.environ["FUZZ_OFF"])
"""Kinds of failures that are none at some operations."""
SHARE: tuple[int, int] = json.loads(os.environ["FUZZ_SHARE"])
NUMBERS = count(1)
ANSWERED: Counter[tuple[str, int]] = Counter()


@schemathesis.hook
def before_call(_context: Any, case: Any, **_kwargs: Any) -> None:
    for name, value in (case.path_parameters or {}).items():
        if value in OWN:
            case.path_parameters[name] = f"not-{value}"
    if isinstance(case.body, dict):
        case.body = json.loads(NEW.sub(lambda _: f"u{next(NUMBERS):06}", json.dumps(case.body)))


@schemathesis.hook
def filter_case(_context: Any, case: Any) -> bool:
    first, step = SHARE
    if case.meta is None or case.meta.phase.name.value != "coverage" or step == 1:
        return True
    words = (case.operation.label, case.method, case.path_parameters, case.query, case.headers, case.body)
    return zlib.crc32(repr(words).encode(errors="replace")) % step == first


@schemathesis.hook
def filter_failure(_context: Any, failure: Any, case: Any, _response: Any) -> bool:
    return [type(failure).__name__, case.operation.definition.raw["operationId"]] not in OFF


@schemathesis.check
def what_is_described_is_read(_context: Any, response: Any, case: Any) -> None:
    """Data of the shape that is described is never refused for its shape."""
    if case.meta is not None and case.meta.generation.mode.is_positive and response.status_code == 422:
        assert not response.json()["detail"].endswith("is not what this address takes."), response.text


@schemathesis.hook
def after_call(_context: Any, case: Any, response: Any) -> None:
    if case.method == case.operation.method.upper():
        ANSWERED[case.operation.definition.raw["operationId"], response.status_code] += 1


@atexit.register
def _tell() -> None:
    found = [[name, status, many] for (name, status), many in ANSWERED.items()]
    Path(os.environ["FUZZ_ANSWERED"]).write_text(json.dumps(found), encoding="utf-8")
