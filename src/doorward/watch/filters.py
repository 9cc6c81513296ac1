"""What somebody types to look at a part: an address, a client, a key; and whom it means in this tenant."""

from dataclasses import dataclass
from typing import Final

from doorward.credentials.secret import KEY_ID_LENGTH
from doorward.model import ApiKeyId, TenantId, UserId
from doorward.policy import networks
from doorward.storage import accounts, api_keys, permissions
from doorward.storage.database import Reader

LONGEST: Final = 200
"""Characters of a filter."""


class Unknown(Exception):  # noqa: N818  (an answer)
    """Nobody and nothing of that name is known in this tenant. ``field`` is the one to mend; the message is public."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed; empty: whatever it is. ``user`` is an address or an id, ``key`` a prefix or an id, ``client`` an id."""

    user: str = ""
    client: str = ""
    key: str = ""
    tool: str = ""


@dataclass(frozen=True, slots=True)
class Meant:
    """The ids that it means."""

    user_id: UserId | None = None
    client_id: str | None = None
    key_id: str | None = None
    tool: str | None = None


def meant(reader: Reader, tenant_id: TenantId | None, typed: Typed) -> Meant:
    """Return what ``typed`` means. Raises ``Unknown``.

    Who has left can still be named by id: what they did stays. Without a tenant everybody and every key is known.
    """
    for field in ("user", "client", "key", "tool"):
        if len(getattr(typed, field)) > LONGEST or not getattr(typed, field).isprintable():
            raise Unknown(field, f"This is longer than {LONGEST} characters, or holds some that cannot be shown.")
    return Meant(
        user_id=_user(reader, tenant_id, typed.user.strip()),
        client_id=typed.client.strip() or None,
        key_id=_key(reader, tenant_id, typed.key.strip()),
        tool=typed.tool.strip() or None,
    )


def address(text: str) -> str:
    """Return where requests came from, as rows have it; empty: from anywhere. Raises ``Unknown``."""
    try:
        return networks.address(text) if text.strip() else ""
    except ValueError as wrong:
        raise Unknown("address", str(wrong)) from wrong


def _user(reader: Reader, tenant_id: TenantId | None, text: str) -> UserId | None:
    if not text:
        return None
    if "@" not in text:
        return UserId(text)
    user = accounts.user_by_email(reader, text.lower())
    if user is None or not (tenant_id is None or permissions.is_member(reader, tenant_id, user.id)):
        # In the same words for the member of another tenant: no answer tells who has an account.
        raise Unknown("user", "No member of this tenant has that address.")
    return user.id


def _key(reader: Reader, tenant_id: TenantId | None, text: str) -> str | None:
    """Return the id in what lists show of a key."""
    if not text:
        return None
    key_id = text.rpartition("_")[2][:KEY_ID_LENGTH]
    found = api_keys.api_key_anywhere(reader, ApiKeyId(key_id))
    return key_id if found is not None and tenant_id in {None, found.tenant_id} else text
