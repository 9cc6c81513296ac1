"""The page on which people guard their own account. Whoever brings a section adds it here, before the routes are asked."""

from collections.abc import Sequence

from starlette.routing import Route

from doorward.accounts.proofs import PasswordProof
from doorward.bootstrap.passkeys import passkeys_of
from doorward.bootstrap.shared import Shared
from doorward.dashboard.own_passkeys import OwnPasskeys, PasskeyProof
from doorward.dashboard.own_password import OwnPassword
from doorward.dashboard.own_recovery_codes import OwnRecoveryCodes
from doorward.dashboard.own_sessions import OwnSessions
from doorward.dashboard.security import SecurityPage
from doorward.dashboard.step_up import StepUp


def step_up_of(shared: Shared) -> StepUp:
    """Return what guards routes. One for the whole program: a change waits for its proof at one address."""
    core, proof = shared.core, proof_of(shared)
    return StepUp(
        pages=shared.pages,
        signed_in=shared.signed_in,
        database=core.database,
        password=PasswordProof(
            database=core.database, passwords=core.passwords, fingerprinter=core.fingerprinter, now=core.now
        ),
        sealer=core.sealer,
        now=core.now,
        entropy=core.entropy,
        public_url=core.settings.public_url,
        recent_seconds=core.settings.tokens.recent,
        proofs={} if proof is None else {"passkey": proof},
    )


def proof_of(shared: Shared) -> PasskeyProof | None:
    """Return how a passkey proves who somebody is, where there are passkeys."""
    passkeys = passkeys_of(shared)
    if passkeys is None:
        return None
    return PasskeyProof(
        passkeys=passkeys,
        signed_in=shared.signed_in,
        greeting=shared.greeting,
        cookies=shared.cookies,
        public_url=shared.core.settings.public_url,
    )


def security(shared: Shared, step_up: StepUp) -> Sequence[Route]:
    """Return the routes of the security page and of all its sections."""
    core, signed_in = shared.core, shared.signed_in
    page = SecurityPage(pages=shared.pages, signed_in=signed_in)
    page.add(
        OwnPassword(
            page=page, step_up=step_up, signed_in=signed_in, database=core.database, passwords=core.passwords,
            now=core.now,
        )
    )  # fmt: skip
    passkeys, proof = passkeys_of(shared), proof_of(shared)
    if passkeys is not None:
        page.add(
            OwnPasskeys(
                page=page, step_up=step_up, signed_in=signed_in, database=core.database, passkeys=passkeys,
                greeting=shared.greeting, cookies=shared.cookies, now=core.now, public_url=core.settings.public_url,
            )
        )  # fmt: skip
    page.add(
        OwnRecoveryCodes(
            page=page, step_up=step_up, signed_in=signed_in, database=core.database, fingerprinter=core.fingerprinter,
            now=core.now, entropy=core.entropy,
        )
    )  # fmt: skip
    page.add(
        OwnSessions(
            signed_in=signed_in, database=core.database, cookies=shared.cookies, now=core.now,
            public_url=core.settings.public_url,
        )
    )  # fmt: skip
    return [*page.routes(), *([] if proof is None else proof.routes())]
