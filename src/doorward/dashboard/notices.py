"""The way to say that one has read a notice. The notices themselves stand on every settings page (``SignedIn.shell``)."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from doorward.accounts import notices
from doorward.dashboard.desk import SettingsPage
from doorward.dashboard.signed_in import see_other
from doorward.storage.database import Transaction
from doorward.web.forms import read_form
from doorward.web.local_path import same_site_path
from doorward.web.origin import require_same_origin

PATH: Final = "/settings/notices"
_HOME: Final = "/settings"


class Notices(SettingsPage):
    """``POST /settings/notices/{id}/read``."""

    def routes(self) -> list[Route]:
        """Return the routes of this surface."""
        return [Route(f"{PATH}/{{notice_id}}/read", self._read, methods=["POST"])]

    async def _read(self, request: Request) -> Response:
        require_same_origin(request, self._public_url)
        back = (await read_form(request)).one("back")
        await self._signed_in.require(request, _HOME)

        def dismiss(tx: Transaction) -> bool:
            here = self._signed_in.require_in(tx, request)
            return notices.dismiss(tx, here[1].id, request.path_params["notice_id"], now=self._now())

        await self._database.write(dismiss)
        return see_other(same_site_path(back) if back.startswith(f"{_HOME}/") else _HOME)
