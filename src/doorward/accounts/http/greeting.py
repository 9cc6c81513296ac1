"""What every way in does with the browser: say where it came from, and hand it the session that began."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from doorward.accounts.entering import SignedIn
from doorward.accounts.sessions import Came
from doorward.accounts.sign_in import normal_email
from doorward.credentials.secret import Fingerprinter, base64url
from doorward.model import Entropy
from doorward.web import causes
from doorward.web.cookies import Cookies
from doorward.web.requester import Requester

MAX_AGENT: Final = 200
_BROWSER_ID_BYTES: Final = 24


class Greeting:
    """One for all ways in."""

    def __init__(
        self,
        *,
        cookies: Cookies,
        requester: Requester,
        fingerprinter: Fingerprinter,
        entropy: Entropy,
        session_seconds: int,
    ) -> None:
        self._cookies = cookies
        self._requester = requester
        self._fingerprinter = fingerprinter
        self._entropy = entropy
        self._session_seconds = session_seconds

    def came(self, request: Request) -> Came:
        """Return what is known of the browser."""
        agent = "".join(each for each in request.headers.get("user-agent", "") if each.isprintable())
        return Came(
            old_cookie=self._cookies.session(request),
            agent=agent[:MAX_AGENT],
            address=self._requester.of(request),
            cause=causes.of(request),
        )

    def welcome(self, request: Request, signed_in: SignedIn, target: str) -> Response:
        """Send the browser on to ``target`` (``same_site_path`` made it) with its session."""
        response = Response(status_code=303, headers={"Location": target, "Cache-Control": "no-store"})
        self._cookies.set_session(response, signed_in.cookie_text, max_age=self._session_seconds)
        self._cookies.add_known_account(request, response, self._mark(signed_in.user.email))
        return response

    def knows(self, request: Request, email: str) -> bool:
        """Say whether the person of this address has signed in from this browser before."""
        address = normal_email(email)
        return address is not None and self._mark(address) in self._cookies.known_accounts(request)

    def browser_of(self, request: Request) -> tuple[str, bool]:
        """Return the browser's id, and whether it is a new one, which the answer has to set."""
        known = self._cookies.browser_id(request)
        return known or base64url(self._entropy(_BROWSER_ID_BYTES)), known is None

    def _mark(self, email: str) -> str:
        """Return what a browser keeps to show that this person has signed in from it; of no other use."""
        return self._fingerprinter.of(f"known-device/{email}")[:32]
