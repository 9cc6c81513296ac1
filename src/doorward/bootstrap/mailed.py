"""What comes to people by mail, and where it leads."""

from collections.abc import Sequence

from starlette.routing import Route

from doorward.accounts.accepting import Accepting
from doorward.accounts.asking import Budgets
from doorward.accounts.email_change import EmailChange
from doorward.accounts.http.invitation_page import InvitationPage
from doorward.accounts.http.link_pages import LinkPages
from doorward.accounts.http.mailed_pages import MailedPages
from doorward.accounts.http.reset_pages import ResetPages
from doorward.accounts.http.undo_page import UndoPage
from doorward.accounts.http.ways import Way
from doorward.accounts.mailed import Mailing
from doorward.accounts.password_reset import PasswordReset
from doorward.accounts.sign_in_links import SignInLinks
from doorward.bootstrap.core import Core
from doorward.bootstrap.mail import outbox_of
from doorward.bootstrap.shared import Shared
from doorward.dashboard.invitations import InvitationsPage
from doorward.dashboard.own_email import OwnEmail
from doorward.dashboard.step_up import StepUp


def mailing_of(core: Core) -> Mailing:
    """Return what use cases send links with. Raises ``SettingsError``."""
    return Mailing(
        database=core.database,
        fingerprinter=core.fingerprinter,
        outbox=outbox_of(core),
        budgets=Budgets(core.fingerprinter, core.settings.mail.per_hour),
        now=core.now,
        entropy=core.entropy,
        public_url=core.settings.public_url,
    )


def mailed_surfaces(shared: Shared) -> tuple[Sequence[Route], Sequence[Way]]:
    """Return the routes that links lead to, and what the sign-in page offers of them."""
    core, mailing = shared.core, mailing_of(shared.core)
    common = MailedPages(pages=shared.pages, cookies=shared.cookies, greeting=shared.greeting, mailing=mailing)
    reset = ResetPages(common=common, reset=PasswordReset(mailing=mailing, passwords=core.passwords))
    links = LinkPages(
        common=common,
        links=SignInLinks(mailing=mailing, entering=shared.entering),
        on=core.settings.mail.sign_in_links,
    )
    accepting = Accepting(mailing=mailing, passwords=core.passwords, entering=shared.entering)
    invitation = InvitationPage(common=common, accepting=accepting)
    undo = UndoPage(common=common, change=EmailChange(mailing=mailing, passwords=core.passwords))
    return [*reset.routes(), *links.routes(), *invitation.routes(), *undo.routes()], [links, reset]


def mailed_settings(shared: Shared, step_up: StepUp) -> Sequence[Route]:
    """Return the routes of pages behind a session that send mail."""
    mailing = mailing_of(shared.core)
    invitations = InvitationsPage(pages=shared.pages, signed_in=shared.signed_in, step_up=step_up, mailing=mailing)
    own_email = OwnEmail(
        pages=shared.pages,
        signed_in=shared.signed_in,
        step_up=step_up,
        greeting=shared.greeting,
        mailing=mailing,
        change=EmailChange(mailing=mailing, passwords=shared.core.passwords),
    )
    return [*invitations.routes(), *own_email.routes()]
