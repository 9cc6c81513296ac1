"""Whether a client opens addresses for its person: elicitation in URL mode. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from doorward.protocol import mcp
from doorward.protocol.mcp import CAPABILITIES_KEY, Era

URL_ELICITATION_REQUIRED: Final = -32042
"""2025-11-25; 2026-07-28 has ``InputRequiredResult`` instead."""


def opens_urls(capabilities: object) -> bool:
    """Say whether a client declares that it opens addresses for its person (elicitation in URL mode)."""
    elicitation = capabilities.get("elicitation") if isinstance(capabilities, dict) else None
    return isinstance(elicitation, dict) and isinstance(elicitation.get("url"), dict)


def capabilities_of(ask: mcp.Ask, params: Mapping[str, Any]) -> object:
    """Return what a message itself says that its client can; None where it says nothing."""
    if ask.era is Era.MODERN:
        meta = params.get("_meta")
        return meta.get(CAPABILITIES_KEY) if isinstance(meta, dict) else None
    return params.get("capabilities") if isinstance(ask, mcp.Initialize) else None
