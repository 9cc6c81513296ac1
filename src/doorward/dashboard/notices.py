"""The way to say that one has read a notice. The notices themselves stand on every settings page (``SignedIn.shell``)."""

from collections.abc import Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from doorward.accounts import notices
from doorward.dashboard.signed_in import SignedIn, see_other, sign_in_first
from doorward.model import Instant
from doorward.protocol import faults
from doorward.storage.database import Database, Transaction
from doorward.web.forms import read_form
from doorward.web.local_path import same_site_path
from doorward.web.origin import require_same_origin
from doorward.web.refused import Refused

PATH: Final = "/settings/notices"
_HOME: Final = "/settings"


class Notices:
    """``POST /settings/notices/{id}/read``."""

    def __init__(self, *, signed_in: SignedIn, database: Database, now: Callable[[], Instant], public_url: str) -> None:
        self._signed_in, self._database, self._now, self._public_url = signed_in, database, now, public_url

    def routes(self) -> list[Route]:
        """Return the routes of this surface."""
        return [Route(f"{PATH}/{{notice_id}}/read", self._read, methods=["POST"])]

    async def _read(self, request: Request) -> Response:
        require_same_origin(request, self._public_url)
        back = (await read_form(request)).one("back")
        if await self._signed_in.find(request) is None:
            return sign_in_first(_HOME)

        def dismiss(tx: Transaction) -> bool:
            here = self._signed_in.find_in(tx, request)
            if here is None:
                raise Refused(faults.SIGNED_OUT, status=403, reason="session ended meanwhile")
            return notices.dismiss(tx, here[1].id, request.path_params["notice_id"], now=self._now())

        await self._database.write(dismiss)
        return see_other(same_site_path(back) if back.startswith(f"{_HOME}/") else _HOME)
