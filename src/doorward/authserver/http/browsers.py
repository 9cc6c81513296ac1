"""The browser that a request is sealed for: known by its cookie, or given one with the answer."""

from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from doorward.authserver.consent_page import CONSENT_PATH
from doorward.authserver.envelope import Pending
from doorward.authserver.http.answers import see_other
from doorward.authserver.http.services import Services
from doorward.credentials.secret import base64url

BROWSER_ID_BYTES: Final = 24


def browser_of(request: Request, services: Services) -> tuple[str, bool]:
    """Return the browser's id, and whether it is a new one, which the answer has to set."""
    known = services.cookies.browser_id(request)
    return known or base64url(services.entropy(BROWSER_ID_BYTES)), known is None


def to_consent(request: Request, pending: Pending, services: Services) -> Response:
    """Send the browser on to the consent page with ``pending``, sealed for it."""
    browser, is_new = browser_of(request, services)
    sealed = services.envelopes.seal_request(pending, browser, entropy=services.entropy)
    response = see_other(f"{CONSENT_PATH}?{urlencode({'request': sealed})}")
    if is_new:
        services.cookies.set_browser_id(response, browser)
    return response
