"""``/approvals``: calls that somebody has to approve before they are made (feature D8)."""

from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from doorward.credentials.secret import Fingerprinter
from doorward.dashboard.desk import Desk, SettingsPage
from doorward.dashboard.signed_in import see_other
from doorward.gateway.approvals import desk
from doorward.gateway.approvals.asking import Terms
from doorward.gateway.approvals.desk import MayNotDecide, NoSuchApproval, NotWaiting, Viewer
from doorward.gateway.approvals.view import Seen
from doorward.model import Fingerprint, Session, User
from doorward.protocol import faults
from doorward.storage.database import Transaction
from doorward.web import causes
from doorward.web.forms import read_form
from doorward.web.origin import require_same_origin
from doorward.web.refused import Refused
from doorward.web.words import cut

PATH: Final = "/approvals"
_ANSWERS: Final = {"approve": True, "deny": False}
_LINK: Final = (PATH, "Approvals")


class ApprovalsPage(SettingsPage):
    """The surface."""

    def __init__(self, desk: Desk, *, fingerprinter: Fingerprinter, terms: Terms) -> None:
        super().__init__(desk)
        self._fingerprinter, self._terms = fingerprinter, terms

    def routes(self) -> list[Route]:
        """Return the routes of this surface."""
        return [
            Route(PATH, self._list, methods=["GET"]),
            Route(f"{PATH}/{{approval_id}}", self._show, methods=["GET"]),
            Route(f"{PATH}/{{approval_id}}", self._decide, methods=["POST"]),
        ]

    async def _list(self, request: Request) -> Response:
        here = await self._signed_in.require(request, PATH)
        viewer, now = _viewer(request, here), self._now()
        waiting, over = await self._database.read_long(
            lambda reader: (desk.waiting(reader, viewer, now), desk.over(reader, viewer, now))
        )
        shell = await self._signed_in.shell(here[1])
        return self._pages.render("approvals.html", here=PATH, waiting=waiting, over=over, **shell)

    async def _show(self, request: Request) -> Response:
        approval_id = request.path_params["approval_id"]
        here = await self._signed_in.require(request, f"{PATH}/{approval_id}")
        viewer, now = _viewer(request, here), self._now()
        try:
            seen = await self._database.read_long(
                lambda reader: desk.look(reader, approval_id, viewer, self._terms, now)
            )
        except NoSuchApproval as missing:
            raise HTTPException(404) from missing
        return self._pages.render(
            "approval.html", here=PATH, seen=seen, caller=_caller(seen), form=self._form(here[0], approval_id),
            **await self._signed_in.shell(here[1]),
        )  # fmt: skip

    async def _decide(self, request: Request) -> Response:
        require_same_origin(request, self._public_url)
        sent = await read_form(request)
        approval_id = request.path_params["approval_id"]
        here = await self._signed_in.require(request, f"{PATH}/{approval_id}")
        answer = _ANSWERS.get(sent.one("answer"))
        # Beside the origin: a form that was shown to somebody else, or for another call, answers nothing (G6).
        if answer is None or not self._is_form(sent.one("form"), here[0], approval_id):
            raise Refused(
                faults.FORM_EXPIRED, status=400, reason="not a form for this session and approval", link=_LINK
            )
        try:
            await self._database.write(lambda tx: self._answer(tx, request, approve=answer))
        except NoSuchApproval as missing:
            raise HTTPException(404) from missing
        except MayNotDecide as other:
            raise Refused(faults.APPROVAL_NOT_YOURS, status=403, reason="not eligible", link=_LINK) from other
        except NotWaiting as late:
            raise Refused(faults.APPROVAL_DECIDED, status=409, reason="decided or expired", link=_LINK) from late
        return see_other(f"{PATH}/{approval_id}")

    def _answer(self, tx: Transaction, request: Request, *, approve: bool) -> Seen:
        viewer = _viewer(request, self._signed_in.require_in(tx, request))
        return desk.decide(
            tx, request.path_params["approval_id"], viewer, self._terms, approve=approve, now=self._now()
        )

    def _is_form(self, sent: str, session: Session, approval_id: str) -> bool:
        own = self._form(session, approval_id)
        return sent.isascii() and Fingerprinter.same(Fingerprint(sent), own)

    def _form(self, session: Session, approval_id: str) -> Fingerprint:
        """Return what the form of this approval carries in this session, and no other form."""
        return self._fingerprinter.of(f"approval-form/{session.id}/{approval_id}")


def _viewer(request: Request, here: tuple[Session, User]) -> Viewer:
    session, user = here
    return Viewer(user_id=user.id, through="page", cause=causes.of(request), session=session)


def _caller(seen: Seen) -> str:
    """Return what wants to make the call, in words."""
    return f"The {seen.credential} “{cut(seen.approval.credential_name)}”"
