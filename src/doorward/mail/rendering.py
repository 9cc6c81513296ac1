"""A letter as a message (RFC 5322): text and HTML that say the same, and headers that hold nothing of others' making.

Exactly one recipient. What goes into a header is one line by construction: the library refuses line ends in headers,
and values lose theirs before they get there (security H12).
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from doorward.mail.letters import LETTERS, Letter
from doorward.model import SECOND, Instant

MAX_VALUE: Final = 254
"""Characters of a value; an address has no more."""

_templates: Final = Environment(
    loader=PackageLoader("doorward.mail"), autoescape=select_autoescape(["html"]), undefined=StrictUndefined,
    trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, auto_reload=False,
)  # fmt: skip


def address(text: str) -> Address:
    """Return ``Name <user@host>`` or ``user@host`` as an address. Raises ``ValueError`` where it is none, or several."""
    if not text.isprintable() or "=?" in text:
        # The library decodes encoded words (RFC 2047) in what it is given, line ends in them too.
        raise ValueError("an address is one line")
    message = EmailMessage(policy=SMTP)
    message["From"] = text
    found = message["From"].addresses
    if len(found) != 1 or message["From"].defects or not found[0].username or not found[0].domain:
        message_text = f"{text[:100]!r} is not one address"
        raise ValueError(message_text)
    one: Address = found[0]
    return one


def message_of(letter: Letter, *, message_id: str, sender: Address, host: str, now: Instant) -> EmailMessage:
    """Return the message. ``message_id`` is the same at every try. Raises ``ValueError``, ``KeyError``."""
    words = LETTERS[letter.kind]
    values = {name: _line(value) for name, value in {**letter.detail, "host": host, "email": letter.to}.items()}
    shown = {
        "subject": words.subject.format_map(values),
        "before": _filled(words.before, values),
        "after": _filled(words.after, values),
        "button": words.button,
        "url": letter.url,
        "host": host,
    }
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = address(letter.to)
    # As in `address`.
    message["Subject"] = words.subject.format_map(values).replace("=?", "= ?")
    message["Date"] = format_datetime(datetime.fromtimestamp(now / SECOND, tz=UTC))
    message["Message-ID"] = f"<{message_id}@{sender.domain}>"
    # RFC 3834: nobody's holiday answers it.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(_templates.get_template("letter.txt").render(**shown))
    message.add_alternative(_templates.get_template("letter.html").render(**shown), subtype="html")
    return message


def _filled(lines: tuple[str, ...], values: Mapping[str, str]) -> list[str]:
    # Once, and never read as a pattern again: names are data.
    return [line.format_map(values) for line in lines]


def _line(value: str) -> str:
    return " ".join(value.split())[:MAX_VALUE]
