"""Where people come in."""

from collections.abc import Awaitable, Callable, Sequence

from starlette.routing import Route

from doorward.accounts.http.passkey_pages import PasskeyPages
from doorward.accounts.http.provider_pages import ProviderPages
from doorward.accounts.http.recovery_pages import RecoveryPages
from doorward.accounts.http.setup_page import SetupPage
from doorward.accounts.http.sign_in_page import SignInPages, Waiting
from doorward.accounts.recovery_codes import Recovery
from doorward.accounts.setup import Setup
from doorward.accounts.sign_in import SignIn
from doorward.bootstrap.core import Core
from doorward.bootstrap.mailed import mailed_surfaces
from doorward.bootstrap.passkeys import passkeys_of
from doorward.bootstrap.shared import Shared
from doorward.credentials.secret import derive


def people(
    shared: Shared,
    *,
    describe_next: Callable[[str, str | None], Awaitable[Waiting | None]],
    providers: ProviderPages,
) -> Sequence[Route]:
    """Return the routes of sign-in. ``describe_next(path, browser id)`` tells which client waits behind a path."""
    core = shared.core
    mailed, ways = mailed_surfaces(shared)
    passkey, recovery, setup = _passkey(shared), _recovery(shared), _setup(shared)
    sign_in = SignIn(
        database=core.database,
        passwords=core.passwords,
        fingerprinter=core.fingerprinter,
        now=core.now,
        entering=shared.entering,
    )
    pages = SignInPages(
        pages=shared.pages,
        cookies=shared.cookies,
        sign_in=sign_in,
        database=core.database,
        fingerprinter=core.fingerprinter,
        now=core.now,
        public_url=core.settings.public_url,
        describe_next=describe_next,
        greeting=shared.greeting,
        ways=[providers, *([] if passkey is None else [passkey]), *ways, recovery],
    )
    return [
        *pages.routes(),
        *providers.routes(),
        *([] if passkey is None else passkey.routes()),
        *recovery.routes(),
        *setup.routes(),
        *mailed,
    ]


async def setup_link(core: Core) -> str | None:
    """Return the address at which the first owner is made, while nobody has an account."""
    setup, now = _setup_of(core), core.now()
    secret = await core.database.write(lambda tx: setup.link(tx, now=now, entropy=core.entropy))
    return None if secret is None else f"{core.settings.public_url}/setup/{secret}"


def _setup_of(core: Core) -> Setup:
    return Setup(derive(core.master_key, "setup"), core.fingerprinter)


def _setup(shared: Shared) -> SetupPage:
    core = shared.core
    return SetupPage(
        pages=shared.pages,
        setup=_setup_of(core),
        database=core.database,
        passwords=core.passwords,
        entering=shared.entering,
        greeting=shared.greeting,
        now=core.now,
        entropy=core.entropy,
        public_url=core.settings.public_url,
    )


def _passkey(shared: Shared) -> PasskeyPages | None:
    passkeys, core = passkeys_of(shared), shared.core
    if passkeys is None:
        return None
    return PasskeyPages(
        passkeys=passkeys,
        greeting=shared.greeting,
        cookies=shared.cookies,
        now=core.now,
        public_url=core.settings.public_url,
    )


def _recovery(shared: Shared) -> RecoveryPages:
    core = shared.core
    return RecoveryPages(
        pages=shared.pages,
        recovery=Recovery(
            database=core.database, entering=shared.entering, fingerprinter=core.fingerprinter, now=core.now
        ),
        greeting=shared.greeting,
        now=core.now,
        public_url=core.settings.public_url,
    )
