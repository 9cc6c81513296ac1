"""What a tool does to the world, said honestly (``ToolAnnotations``). Nothing in Harbour reaches beyond Harbour."""

from typing import Final

from mcp_types import ToolAnnotations

READS: Final = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)  # fmt: skip
ADDS: Final = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False
)  # fmt: skip
"""Every call adds something: a node, a version, a remark."""
SETS: Final = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)  # fmt: skip
"""Sets a state that can be set back; a repetition changes nothing more."""
DELETES: Final = ToolAnnotations(
    read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False
)  # fmt: skip
"""Gone for good."""
