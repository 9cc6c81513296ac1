"""Which version of a tool is offered: a question of what was said of it, and else of the server's policy (D4; K27)."""

from collections.abc import Mapping

import pytest

from doorward.model import Server, ServerId, ToolState, Vetting
from doorward.policy.vetting import MAX_KNOWN, standing

ALLOWED, HELD, BLOCKED = ToolState.ALLOWED, ToolState.HELD, ToolState.BLOCKED
HOLD, ALLOW = Vetting.HOLD, Vetting.ALLOW


def server(new: Vetting, changed: Vetting, known: Mapping[str, Mapping[str, ToolState]]) -> Server:
    return Server(
        id=ServerId("s"), slug="s", name="S", paths=("/mcp",), upstream="https://s.example/mcp", new_tools=new,
        changed_tools=changed, known=known,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("versions", "new", "changed", "state"),
    [
        ({}, ALLOW, HOLD, ALLOWED),
        ({}, HOLD, ALLOW, HELD),
        ({"now": ALLOWED}, HOLD, HOLD, ALLOWED),
        ({"now": HELD}, ALLOW, ALLOW, HELD),
        ({"now": ALLOWED, "old": BLOCKED}, ALLOW, ALLOW, BLOCKED),
        ({"old": BLOCKED}, ALLOW, ALLOW, BLOCKED),
        ({"old": ALLOWED}, ALLOW, HOLD, HELD),
        ({"old": ALLOWED}, HOLD, ALLOW, ALLOWED),
        ({"old": HELD}, HOLD, ALLOW, HELD),
        ({"old": HELD}, ALLOW, HOLD, ALLOWED),
    ],
)
def test_K27_what_was_said_holds_and_else_the_policy_for_new_or_changed_tools(
    versions: dict[str, ToolState], new: Vetting, changed: Vetting, state: ToolState
) -> None:
    assert standing(server(new, changed, {"drop": versions} if versions else {}), "drop", "now") is state


def test_K27_beyond_what_is_remembered_an_unknown_name_counts_as_changed() -> None:
    known = {f"t{number}": {"d": ALLOWED} for number in range(MAX_KNOWN)}
    assert standing(server(ALLOW, HOLD, known), "drop", "now") is HELD
    known.popitem()
    assert standing(server(ALLOW, HOLD, known), "drop", "now") is ALLOWED
