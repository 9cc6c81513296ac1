"""Where a person may be sent on to: a path of this site and nothing else (case H13)."""

import re
from typing import Final

_DECODES_TO_MORE: Final = re.compile(r"%(?:2f|5c|0|1|7f)", re.IGNORECASE)
_WAYS_IN: Final = re.compile(r"/sign-(?:in|out)(?:/|$)", re.IGNORECASE)
_NEVER: Final = frozenset(' \\#"<>')


def same_site_path(text: str) -> str:
    """Return ``text`` where it is a path (and query) of this site, else ``/``; never a page that leads back here.

    Browsers drop tabs and line ends and read a backslash as a slash, so that a slash followed by either may lead to
    another site; ``urlsplit`` does not see that.
    """
    path = text.partition("?")[0]
    plain = text.isascii() and text.isprintable() and not _NEVER & set(text)
    local = path.startswith("/") and not path.startswith("//") and not _DECODES_TO_MORE.search(path)
    return text if plain and local and not _WAYS_IN.match(path) else "/"
