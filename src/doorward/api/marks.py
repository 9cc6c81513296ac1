"""Marks of lists: where the next page begins, sealed, good for one caller at one list with one query only.

A mark is a place in an order, not a number of rows: what is added or ended meanwhile makes no row come twice or never.
"""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from doorward.api.call import Caller, Mark
from doorward.api.problems import Problem
from doorward.model import Entropy
from doorward.protocol import faults
from doorward.vault import Sealer, Unsealed

_LABEL: Final = "api-mark/1"
PAGING: Final = frozenset({"after", "limit"})


class Marks:
    """Seals and opens them."""

    def __init__(self, sealer: Sealer, entropy: Entropy) -> None:
        self._sealer = sealer
        self._entropy = entropy

    def seal(self, mark: Mark, place: bytes) -> str:
        """Return a mark as text."""
        return self._sealer.seal(_LABEL, json.dumps(mark).encode(), aad=place, entropy=self._entropy)

    def open(self, text: str, place: bytes) -> Mark:
        """Return the mark. Raises ``Problem`` (422) for one of another place, or none of ours."""
        try:
            return tuple(json.loads(self._sealer.open(_LABEL, text, aad=place)))
        except Unsealed as wrong:
            fault = faults.API_WRONG_MARK
            raise Problem(
                HTTPStatus.UNPROCESSABLE_ENTITY, fault.cause, fault=fault, errors=[("/after", "is what an answer gave as next")]
            ) from wrong  # fmt: skip


def place(caller: Caller, path: str, query: Mapping[str, Any]) -> bytes:
    """Return what a mark is bound to: ``path`` with its variables, and the query but for the paging itself."""
    asked = sorted((name, value) for name, value in query.items() if name not in PAGING)
    return json.dumps([caller.name, path, asked]).encode()
