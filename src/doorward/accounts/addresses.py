"""Which addresses mail may go to: the one check, before an address is stored for it (security H12).

Plain ASCII of the dot-atom form (RFC 5321 section 4.1.2), one ``@``, no quotes, no comments, no second recipient. An
address of another form may have an account all the same; it gets no mail.
"""

import re
from typing import Final

MAX_ADDRESS: Final = 254
_ATOM: Final = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_ADDRESS: Final = re.compile(rf"(?=[^@]{{1,64}}@){_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*")


def mail_address(text: str) -> str | None:
    """Return the address in lower case, as it is stored, or None where no mail may go to it.

    Letters beyond ASCII are refused before case is folded: some fold to ASCII, and then name somebody else.
    """
    address = text.strip(" ")
    if not address.isascii() or len(address) > MAX_ADDRESS or "=?" in address:
        return None
    address = address.lower()
    return address if _ADDRESS.fullmatch(address) else None


def masked(address: str) -> str:
    """Return ``a…@example.com``: enough to know one's own again."""
    user, _, domain = address.partition("@")
    return f"{user[:1]}…@{domain}"
