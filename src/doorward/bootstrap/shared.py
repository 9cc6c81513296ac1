"""What the surfaces have in common."""

from dataclasses import dataclass

from doorward.accounts.entering import Entering
from doorward.accounts.http.greeting import Greeting
from doorward.accounts.insiders import Insiders
from doorward.accounts.sessions import SessionUses
from doorward.bootstrap.core import Core
from doorward.bootstrap.linked import Linked
from doorward.credentials.authenticate import Door
from doorward.credentials.issuer import TokenIssuer
from doorward.dashboard.shown_to import ShownTo
from doorward.dashboard.signed_in import SignedIn
from doorward.gateway.credential_uses import CredentialUses
from doorward.gateway.outside import Outside
from doorward.web.attempt_log import AttemptLog
from doorward.web.cookies import Cookies
from doorward.web.errors import Errors
from doorward.web.pages import Pages
from doorward.web.requester import Requester


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """Collaborators that more than one surface gets."""

    core: Core
    door: Door
    issuer: TokenIssuer
    pages: Pages
    errors: Errors
    attempts: AttemptLog
    cookies: Cookies
    requester: Requester
    sessions: SessionUses
    shown_to: ShownTo
    signed_in: SignedIn
    entering: Entering
    greeting: Greeting
    credential_uses: CredentialUses
    linked: Linked
    insiders: Insiders
    outside: Outside
