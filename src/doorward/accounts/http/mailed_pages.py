"""What the pages of mailed links share: reading the link, saying who asks, and words for waiting."""

from starlette.requests import Request
from starlette.responses import Response

from doorward.accounts import sessions
from doorward.accounts.asking import Asked
from doorward.accounts.http.greeting import Greeting
from doorward.accounts.mailed import Mailing
from doorward.model import User, UserId
from doorward.protocol import faults
from doorward.web.cookies import Cookies
from doorward.web.forms import FormRefused
from doorward.web.pages import Pages
from doorward.web.refused import Refused
from doorward.web.words import duration

NO_ADDRESS = "This is not an e-mail address that mail can go to."


class MailedPages:
    """One for all of them."""

    def __init__(self, *, pages: Pages, cookies: Cookies, greeting: Greeting, mailing: Mailing) -> None:
        self.pages, self.cookies, self.greeting, self._mailing = pages, cookies, greeting, mailing
        self.public_url = mailing.public_url

    @property
    def on(self) -> bool:
        """Say whether mail goes out."""
        return self._mailing.outbox.on

    def require_mail(self) -> None:
        """Raise ``Refused`` where no mail goes out."""
        if not self.on:
            raise Refused(faults.MAIL_OFF, status=404, reason="mail.mode is off")

    async def here(self, request: Request) -> User | None:
        """Return who is signed in."""
        cookie, now = self.cookies.session(request), self._mailing.now()
        found = await self._mailing.database.read(
            lambda reader: sessions.session_user(reader, cookie, fingerprinter=self._mailing.fingerprinter, now=now)
        )
        return None if found is None else found[1]

    async def here_id(self, request: Request) -> UserId | None:
        """Return the id of who is signed in."""
        user = await self.here(request)
        return None if user is None else user.id

    def asked(self, request: Request, email: str, *, browser: str | None = None, target: str = "/") -> Asked:
        """Return who asks for a mail to ``email``."""
        came = self.greeting.came(request)
        return Asked(
            email=email, requester=came.address, known_device=self.greeting.knows(request, email), browser=browser,
            target=target, cause=came.cause,
        )  # fmt: skip


def token_of(request: Request) -> str:
    """Return the secret in a link's address. Raises ``FormRefused`` where there are two."""
    values = request.query_params.getlist("token")
    if len(values) > 1:
        raise FormRefused("two tokens in the address")
    return values[0] if values else ""


def too_many(wait: int) -> str:
    """Return words for somebody who has to wait."""
    words = f"{wait} seconds" if wait < 120 else duration(-(-wait // 60) * 60)  # noqa: PLR2004
    return f"Too many mails were asked for. Wait {words}, then ask again."


def later(response: Response, wait: int) -> Response:
    """Return the response with ``Retry-After``."""
    response.headers["Retry-After"] = str(wait)
    return response
