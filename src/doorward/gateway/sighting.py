"""What a server says of itself when it is asked what it is. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from doorward.model import Sighting

MAX_TEXT: Final = 100
_INFO: Final = "io.modelcontextprotocol/serverInfo"


def sighting_of(described: Mapping[str, Any], revision: str | None) -> Sighting:
    """Return what an answer to ``initialize`` or ``server/discover`` says, as it may stand on a terminal."""
    meta = described.get("_meta")
    info = meta.get(_INFO) if isinstance(meta, dict) else None
    info = info if isinstance(info, dict) else described.get("serverInfo")
    info = info if isinstance(info, dict) else {}
    return Sighting(name=_text(info.get("name")), version=_text(info.get("version")), revision=revision or "unknown")


def _text(value: object) -> str:
    return "".join(each for each in value[:MAX_TEXT] if each.isprintable()) if isinstance(value, str) else ""
