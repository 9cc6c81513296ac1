"""What the pages of the settings work with."""

from collections.abc import Callable
from dataclasses import dataclass

from doorward.dashboard.signed_in import SignedIn
from doorward.model import Instant
from doorward.storage.database import Database
from doorward.web.pages import Pages


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """One per program."""

    pages: Pages
    signed_in: SignedIn
    database: Database
    now: Callable[[], Instant]
    public_url: str


class SettingsPage:
    """A page, or several that belong together, at a desk."""

    def __init__(self, desk: Desk) -> None:
        self._pages, self._signed_in, self._database, self._now = desk.pages, desk.signed_in, desk.database, desk.now
        self._public_url = desk.public_url
