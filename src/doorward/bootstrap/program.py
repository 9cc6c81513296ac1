"""The core becomes the program."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import partial
from typing import Final

import structlog
import uvloop
from starlette.routing import Route

from doorward import server
from doorward.accounts.entering import Entering
from doorward.accounts.http.greeting import Greeting
from doorward.accounts.insiders import Insiders
from doorward.accounts.sessions import Lifetimes, SessionUses
from doorward.audit import CallLog
from doorward.authserver.routes import DIRECT_PATHS
from doorward.bootstrap.approvals import approval_terms
from doorward.bootstrap.core import Core, issuer_of, open_core, overlap_of, ticks
from doorward.bootstrap.domains import domain_proofs
from doorward.bootstrap.external import external_bearers
from doorward.bootstrap.keys import tell_of_ends
from doorward.bootstrap.linked import linked
from doorward.bootstrap.mail import mailer_of, outbox_of
from doorward.bootstrap.own_servers import outside_of
from doorward.bootstrap.people import setup_link
from doorward.bootstrap.shared import Shared
from doorward.bootstrap.surfaces import surfaces
from doorward.credentials import key_rotation, upstream_secrets
from doorward.credentials.authenticate import Door
from doorward.credentials.secret import derive
from doorward.dashboard.shown_to import ShownTo
from doorward.dashboard.signed_in import SignedIn
from doorward.gateway.credential_uses import CredentialUses
from doorward.gateway.places import AtOnce
from doorward.gateway.proxy import Gateway
from doorward.gateway.rates import Ceilings, ceilings
from doorward.logs import configure_logs
from doorward.model import Rates
from doorward.server import App
from doorward.settings import RateSettings, Settings, SettingsError
from doorward.storage import housekeeping
from doorward.storage.events import CallEvent
from doorward.storage.opening import hold_node_lock
from doorward.storage.usage_folding import Folding
from doorward.web.attempt_log import AttemptLog
from doorward.web.cookies import Cookies
from doorward.web.direct import DirectPages
from doorward.web.errors import Errors
from doorward.web.fault_pages import FaultPages
from doorward.web.front_door import FrontDoor, router
from doorward.web.mcp_page import McpPage
from doorward.web.pages import Pages
from doorward.web.requester import Requester
from doorward.web.static_files import StaticFiles

TEMPLATE_PACKAGES: Final = ("doorward.accounts", "doorward.authserver", "doorward.dashboard")


async def build(core: Core) -> App:
    """Return the program over an open core. Raises ``SettingsError``."""
    static = StaticFiles()
    shared, mailer = _shared(core, static), mailer_of(core)
    calls = CallLog(core.database)
    gateway = _gateway(shared, calls)
    own = (*static.routes(), *FaultPages(pages=shared.pages).routes())
    routes = [*own, *surfaces(shared, gateway)]
    front, direct_pages = _doors(shared, routes)
    return App(
        gateway=gateway,
        pages=front,
        direct_pages=direct_pages,
        flushes=[calls.flush, shared.credential_uses.flush, shared.attempts.flush, shared.sessions.flush],
        chores=[
            partial(_tidy, core),
            partial(_rotate, core),
            domain_proofs(core).recheck,
            partial(tell_of_ends, core, outbox_of(core)),
        ],
        workers=[Folding(core.database, now=core.now).run, *([] if mailer is None else [mailer.run])],
    )


def _shared(core: Core, static: StaticFiles) -> Shared:
    settings = core.settings
    door = Door(
        issuer=settings.public_url,
        keys=core.keys.look,
        fingerprinter=core.fingerprinter,
        prefix=settings.api_keys.prefix,
    )
    pages = Pages(public_url=settings.public_url, static=static, packages=TEMPLATE_PACKAGES)
    requester = Requester(settings.server.trusted_proxies)
    cookies = Cookies(secure=settings.public_url.startswith("https:"))
    sessions = SessionUses(core.database, idle=settings.tokens.session_idle)
    shown_to = ShownTo(sealer=core.sealer, entropy=core.entropy)
    return Shared(
        core=core,
        door=door,
        issuer=issuer_of(core),
        pages=pages,
        errors=Errors(pages=pages, now=core.now),
        attempts=AttemptLog(core.database, now=core.now),
        cookies=cookies,
        requester=requester,
        sessions=sessions,
        shown_to=shown_to,
        signed_in=SignedIn(
            database=core.database,
            cookies=cookies,
            fingerprinter=core.fingerprinter,
            now=core.now,
            used=sessions.used,
            shown_to=shown_to,
        ),
        entering=Entering(
            fingerprinter=core.fingerprinter,
            entropy=core.entropy,
            lifetimes=Lifetimes(absolute=settings.tokens.session, idle=settings.tokens.session_idle),
        ),
        greeting=Greeting(
            cookies=cookies,
            requester=requester,
            fingerprinter=core.fingerprinter,
            entropy=core.entropy,
            session_seconds=settings.tokens.session,
        ),
        credential_uses=CredentialUses(core.database),
        linked=linked(core),
        insiders=Insiders(door.authenticate, entropy=core.entropy),
        outside=outside_of(core),
    )


def _gateway(shared: Shared, calls: CallLog) -> Gateway:
    core, settings = shared.core, shared.core.settings
    return Gateway(
        database=core.database,
        authenticate=shared.insiders.authenticate,
        issuer=shared.issuer,
        public_url=settings.public_url,
        now=core.now,
        entropy=core.entropy,
        session_key=derive(core.master_key, "session"),
        allowed_origins=settings.server.allowed_origins,
        body_limit=settings.limits.body,
        record=partial(_record, calls, shared.attempts),
        knocked=partial(shared.attempts.knocked, shared.requester),
        requester=shared.requester,
        touch=shared.credential_uses.touch,
        ceilings=_ceilings(settings.rates),
        browser_page=McpPage(pages=shared.pages, entropy=core.entropy).app,
        open_secret=partial(upstream_secrets.unseal, sealer=core.sealer),
        approvals=approval_terms(core),
        external=external_bearers(settings, core.now),
        accounts=shared.linked.accounts,
        outside=shared.outside,
        upstream_timeout=settings.limits.upstream_timeout,
        upstream_body_limit=settings.limits.upstream_body,
    )


def _ceilings(said: RateSettings) -> Ceilings:
    numbers = {item.name: getattr(said, item.name) for item in fields(said)}
    rates = Rates(**{item.name: numbers[item.name] for item in fields(Rates)})
    at_once = AtOnce(**{item.name: numbers[item.name] for item in fields(AtOnce)})
    return ceilings(rates, at_once, nodes=said.nodes, ticks=ticks)


def _record(calls: CallLog, attempts: AttemptLog, call: CallEvent) -> None:
    calls.add(call)
    attempts.called(call)


def _doors(shared: Shared, routes: Sequence[Route]) -> tuple[FrontDoor, DirectPages]:
    """Return what answers all routes, and what answers short requests to some of them without a router."""
    core = shared.core
    https = core.settings.public_url.startswith("https:")
    front = FrontDoor(
        router(routes), errors=shared.errors, entropy=core.entropy, https=https, requester=shared.requester
    )
    return front, DirectPages(front, [route for route in routes if route.path in DIRECT_PATHS])


async def _tidy(core: Core) -> None:
    kept = core.settings.audit
    await housekeeping.tidy(
        core.database, core.now(), attempts_days=core.settings.attempts.days, audit_days=kept.days,
        call_days=kept.call_days,
    )  # fmt: skip


async def _rotate(core: Core) -> None:
    """Announce the next key of each algorithm whose key is old enough."""
    every, overlap = core.settings.keys.rotate_every, overlap_of(core.settings)
    old = (
        await core.database.read(lambda reader: key_rotation.due(reader, every=every, now=core.now())) if every else []
    )
    for algorithm in old:
        draw = partial(key_rotation.draw, algorithm, sealer=core.sealer, entropy=core.entropy)
        fresh = await asyncio.to_thread(draw)
        await core.database.write(partial(key_rotation.rotate, fresh=fresh, overlap=overlap, now=core.now()))


def serve(settings: Settings, *, tell: Callable[[str], None]) -> None:
    """Run the server until a signal ends it. Raises ``SettingsError``, ``NotReady``.

    ``tell`` shows a line to whoever started it, and keeps it nowhere: the link of the first set-up.
    """
    configure_logs(settings.log.level, settings.log.format)
    host, port = settings.server.host, settings.server.port
    try:
        listener = server.listen(host, port)
    except OSError as wrong:
        raise SettingsError(f"{host} port {port}: {wrong.strerror}. Choose another address or port.") from wrong
    with contextlib.closing(listener), hold_node_lock(settings.database_url):
        uvloop.run(_serve(settings, listener, tell))


async def _serve(settings: Settings, listener: socket.socket, tell: Callable[[str], None]) -> None:
    core = await open_core(settings, create=True)
    try:
        app = await build(core)

        async def ready() -> None:
            link = await setup_link(core)
            if link is not None:
                tell(f"Nobody has an account yet. Make the first owner, once and within a day: {link}")
            structlog.get_logger("doorward").info("serving", url=settings.public_url)

        await server.run(app, listener, on_ready=ready)
    finally:
        await core.close()
