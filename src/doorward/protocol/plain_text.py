"""Names that somebody else chose: what may stand in one so that people see what it is (security E4)."""

import unicodedata
from typing import Final

_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Control, format (bidi, zero width), surrogate, private, unassigned; line and paragraph separators."""
_BLANK: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
"""Letters and marks that are drawn as nothing (Unicode's Default_Ignorable_Code_Point; the braille blank)."""


def is_visible(text: str) -> bool:
    """Tell whether every character of ``text`` can be seen, or is a space between those that can."""
    return not any(character in _BLANK or unicodedata.category(character) in _HIDDEN for character in text)
