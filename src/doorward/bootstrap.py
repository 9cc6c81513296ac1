"""The composition root: settings become a clock, entropy, storage, keys and, from these, the program.

The only place where the clock is read and randomness is drawn, and the only one besides ``cli`` that knows
``settings``. Everything is built by ordinary constructor calls; nobody else builds collaborators.
"""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, Final

import structlog
import uvloop
from starlette.routing import Route

from doorward import server
from doorward.accounts.passwords import PasswordPool
from doorward.accounts.routes import SignInPages
from doorward.accounts.sign_in import SignIn
from doorward.api.explain import ExplainApi
from doorward.api.resources import ResourcesApi
from doorward.audit import CallLog
from doorward.authserver.clients import ClientDirectory
from doorward.authserver.routes import DIRECT_PATHS, AuthServer
from doorward.clients import profiles
from doorward.credentials import key_rotation, upstream_secrets
from doorward.credentials.authenticate import Door
from doorward.credentials.external import ExternalSystem, why_prefix_is_ours
from doorward.credentials.issuer import TokenIssuer
from doorward.credentials.key_ring import KeyRing
from doorward.credentials.key_rotation import Overlap
from doorward.credentials.secret import Fingerprinter, derive
from doorward.credentials.signing_keys import ALGORITHMS
from doorward.dashboard.attempts import AttemptsPage
from doorward.dashboard.keys import KeysPage
from doorward.dashboard.notices import Notices
from doorward.dashboard.signed_in import Home, SignedIn
from doorward.dashboard.why import WhyPage
from doorward.gateway.external_bearers import ExternalBearers
from doorward.gateway.http_pool import HttpPool
from doorward.gateway.identity import Identities
from doorward.gateway.key_uses import KeyUses
from doorward.gateway.places import AtOnce
from doorward.gateway.probe import Health, probe
from doorward.gateway.proxy import Gateway
from doorward.gateway.rates import Ceilings, ceilings
from doorward.gateway.stdio.servers import StdioServers
from doorward.gateway.upstream import Upstream
from doorward.gateway.upstream_auth import UpstreamAuth
from doorward.logs import configure_logs
from doorward.model import Entropy, Instant, Permission, Rates, TenantId
from doorward.server import App
from doorward.settings import ExternalSettings, RateSettings, Settings, SettingsError
from doorward.storage import housekeeping, permissions, servers
from doorward.storage import keys as stored_keys
from doorward.storage import upstream_secrets as stored_secrets
from doorward.storage.database import Database, Reader, Transaction
from doorward.storage.events import CallEvent
from doorward.storage.keys import SigningKeyRow
from doorward.storage.opening import hold_node_lock, open_database
from doorward.vault import Sealer
from doorward.web.attempt_log import AttemptLog
from doorward.web.cookies import Cookies
from doorward.web.direct import DirectPages
from doorward.web.errors import Errors
from doorward.web.fault_pages import FaultPages
from doorward.web.fetch import Fetcher, target_of
from doorward.web.front_door import FrontDoor, router
from doorward.web.mcp_page import McpPage
from doorward.web.pages import Pages
from doorward.web.requester import Requester
from doorward.web.static_files import StaticFiles

EXTERNAL_PER_MINUTE: Final = 3000
"""Questions to other systems about their bearers."""
TEMPLATE_PACKAGES: Final = ("doorward.accounts", "doorward.authserver", "doorward.dashboard")
KEY_BYTES: Final = 32
PROBE_SECONDS: Final = 20.0
NO_OVERLAP: Final = Overlap(before=0, after=0)
_KEY_CHECK: Final = "key_check"


def clock() -> Instant:
    """Return the present moment."""
    return Instant(time.time_ns() // 1000)


def ticks() -> int:
    """Return microseconds of a clock that nobody sets, since some moment."""
    return time.monotonic_ns() // 1000


def entropy(count: int) -> bytes:
    """Return ``count`` unpredictable bytes."""
    return os.urandom(count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """What every command needs, whether it serves or only changes something."""

    settings: Settings
    database: Database
    now: Callable[[], Instant]
    entropy: Entropy
    fingerprinter: Fingerprinter
    sealer: Sealer
    master_key: bytes
    passwords: PasswordPool
    keys: KeyRing

    async def close(self) -> None:
        """Let go of the database and of the password threads."""
        self.passwords.close()
        await self.database.close()


async def open_core(settings: Settings, *, create: bool) -> Core:
    """Open data directory, key file and database; with ``create`` they are made where they are missing.

    Raises ``SettingsError`` where something is missing or does not belong together.
    """
    master = read_master_key(settings.key_file, create=create)
    database = open_database(settings.database_url, create=create)
    sealer, fingerprinter = Sealer(derive(master, "vault")), Fingerprinter(derive(master, "fingerprint"))
    try:
        known = await database.read(lambda reader: _known(reader, fingerprinter, settings.key_file))
        if not known:
            fresh = [key_rotation.draw(each, sealer=sealer, entropy=entropy) for each in ALGORITHMS]
            await database.write(lambda tx: _first_keys(tx, fresh, fingerprinter))
        wanting = await database.read(key_rotation.missing)
        keys = KeyRing(database=database, sealer=sealer, now=clock)
        await keys.refresh()
    except BaseException:
        await database.close()
        raise
    if wanting:
        await database.close()
        raise SettingsError(f"the database holds no {wanting[0]} key to sign with. Restore it from a backup.")
    return Core(
        settings=settings,
        database=database,
        now=clock,
        entropy=entropy,
        fingerprinter=fingerprinter,
        sealer=sealer,
        master_key=master,
        passwords=PasswordPool(max_workers=settings.passwords.workers, queue_limit=settings.passwords.queue),
        keys=keys,
    )


def read_master_key(path: Path, *, create: bool) -> bytes:
    """Return the 32 bytes of the key file. Raises ``SettingsError`` where it is missing, open to others or damaged."""
    if create and not path.exists():
        _write_private(path, entropy(KEY_BYTES).hex() + "\n")
    try:
        text, mode = path.read_text(encoding="ascii").strip(), path.stat().st_mode
    except (OSError, UnicodeDecodeError) as wrong:
        raise SettingsError(f"{path}: no key file. Run `doorward init`, or name the right data directory.") from wrong
    if mode & 0o077:
        raise SettingsError(f"{path}: others on this machine can read it. Run `chmod 600 {path}`.")
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES or len(set(key)) < KEY_BYTES // 4:
        # N2: a placeholder or shortened key would make every fingerprint and seal guessable.
        raise SettingsError(f"{path}: not a key of ours. Restore it from a backup.")
    return key


def _write_private(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _known(reader: Reader, fingerprinter: Fingerprinter, key_file: Path) -> bool:
    """Say whether the database has been used. Raises ``SettingsError`` where it was with another key file."""
    known = stored_keys.meta(reader, _KEY_CHECK)
    if known is not None and known != fingerprinter.of(_KEY_CHECK):
        raise SettingsError(f"{key_file}: belongs to another database. Put the right key file beside this one.")
    return known is not None


def _first_keys(tx: Transaction, fresh: Sequence[SigningKeyRow], fingerprinter: Fingerprinter) -> None:
    # Two commands may start on an empty database at once: the row that was written first decides who makes the keys.
    if stored_keys.put_meta_once(tx, _KEY_CHECK, fingerprinter.of(_KEY_CHECK)):
        for each in fresh:
            key_rotation.rotate(tx, each, overlap=NO_OVERLAP, now=clock())


async def build(core: Core) -> App:
    """Return the program over an open core. Raises ``SettingsError``."""
    settings = core.settings
    door = Door(
        issuer=settings.public_url,
        keys=core.keys.look,
        fingerprinter=core.fingerprinter,
        prefix=settings.api_keys.prefix,
    )
    issuer = _issuer(core)
    static = StaticFiles()
    pages = Pages(public_url=settings.public_url, static=static, packages=TEMPLATE_PACKAGES)
    errors = Errors(pages=pages, now=core.now)
    calls, uses = CallLog(core.database), KeyUses(core.database)
    attempts, requester = AttemptLog(core.database, now=core.now), Requester(settings.server.trusted_proxies)
    gateway = Gateway(
        database=core.database,
        authenticate=door.authenticate,
        issuer=issuer,
        public_url=settings.public_url,
        now=core.now,
        entropy=core.entropy,
        session_key=derive(core.master_key, "session"),
        allowed_origins=settings.server.allowed_origins,
        body_limit=settings.limits.body,
        record=partial(_record, calls, attempts),
        knocked=partial(attempts.knocked, requester),
        touch=uses.touch,
        ceilings=_ceilings(settings.rates),
        browser_page=McpPage(pages=pages, entropy=core.entropy).app,
        open_secret=partial(upstream_secrets.unseal, sealer=core.sealer),
        external=external_bearers(settings, core.now),
        upstream_timeout=settings.limits.upstream_timeout,
        upstream_body_limit=settings.limits.upstream_body,
    )
    own = (*static.routes(), *FaultPages(pages=pages).routes())
    routes = [*own, *_surfaces(core, door, issuer, pages, errors, attempts)]
    front, direct_pages = _doors(core, routes, errors)
    return App(
        gateway=gateway,
        pages=front,
        direct_pages=direct_pages,
        flushes=[calls.flush, uses.flush, attempts.flush],
        chores=[partial(_tidy, core), partial(_rotate, core)],
    )


def _ceilings(said: RateSettings) -> Ceilings:
    numbers = {item.name: getattr(said, item.name) for item in fields(said)}
    rates = Rates(**{item.name: numbers[item.name] for item in fields(Rates)})
    at_once = AtOnce(**{item.name: numbers[item.name] for item in fields(AtOnce)})
    return ceilings(rates, at_once, nodes=said.nodes, ticks=ticks)


def _record(calls: CallLog, attempts: AttemptLog, call: CallEvent) -> None:
    calls.add(call)
    attempts.called(call)


def _doors(core: Core, routes: Sequence[Route], errors: Errors) -> tuple[FrontDoor, DirectPages]:
    """Return what answers all routes, and what answers short requests to some of them without a router."""
    https = core.settings.public_url.startswith("https:")
    front = FrontDoor(router(routes), errors=errors, entropy=core.entropy, https=https)
    return front, DirectPages(front, [route for route in routes if route.path in DIRECT_PATHS])


def _issuer(core: Core) -> TokenIssuer:
    return TokenIssuer(
        issuer=core.settings.public_url,
        keys=core.keys.current,
        refresh_keys={"1": derive(core.master_key, "refresh/1")},
    )


async def _tidy(core: Core) -> None:
    await housekeeping.tidy(core.database, core.now(), attempts_days=core.settings.attempts.days)


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


def overlap_of(settings: Settings) -> Overlap:
    """Return how long keys are published before and after they sign."""
    return Overlap(before=settings.keys.announce, after=settings.keys.keep)


def _surfaces(
    core: Core, door: Door, issuer: TokenIssuer, pages: Pages, errors: Errors, attempts: AttemptLog
) -> list[Route]:
    """Return the routes of everything that a person or a program meets besides the gateway."""
    settings = core.settings
    cookies = Cookies(secure=settings.public_url.startswith("https:"))
    requester = Requester(settings.server.trusted_proxies)
    authserver = AuthServer(
        database=core.database,
        now=core.now,
        entropy=core.entropy,
        public_url=settings.public_url,
        issuer=issuer,
        keys=core.keys,
        fingerprinter=core.fingerprinter,
        sealer=core.sealer,
        pages=pages,
        errors=errors,
        cookies=cookies,
        pinned_documents=_pinned(settings),
        bundled_documents=_bundled(settings),
        cimd_policy=settings.cimd.policy,
        fetcher=Fetcher(now=core.now, allow_loopback=settings.cimd.allow_loopback),
        key_fetcher=Fetcher(now=core.now, allow_loopback=settings.workload.allow_loopback),
        vendor_schemes=profiles.vendor_schemes(),
        verified_host=profiles.verified_host,
        code_ttl=settings.tokens.code_ttl,
        access_ttl=settings.tokens.access_ttl,
        access_most=settings.keys.keep,
        refresh_idle=settings.tokens.refresh_idle,
        refresh_absolute=settings.tokens.refresh_absolute,
        registration_policy=settings.registration.policy,
        api_key_prefix=settings.api_keys.prefix,
        allowed_origins=settings.server.allowed_origins,
        requester=requester,
        attempts=attempts,
    )
    sign_in = SignIn(
        database=core.database,
        passwords=core.passwords,
        fingerprinter=core.fingerprinter,
        now=core.now,
        entropy=core.entropy,
        session_seconds=settings.tokens.session,
    )
    sign_in_pages = SignInPages(
        pages=pages,
        cookies=cookies,
        sign_in=sign_in,
        database=core.database,
        fingerprinter=core.fingerprinter,
        now=core.now,
        public_url=settings.public_url,
        describe_next=authserver.describe,
        requester=requester,
    )
    signed_in = SignedIn(database=core.database, cookies=cookies, fingerprinter=core.fingerprinter, now=core.now)
    keys_page = KeysPage(
        pages=pages,
        signed_in=signed_in,
        database=core.database,
        fingerprinter=core.fingerprinter,
        now=core.now,
        entropy=core.entropy,
        public_url=settings.public_url,
        prefix=settings.api_keys.prefix,
    )
    notices = Notices(signed_in=signed_in, database=core.database, now=core.now, public_url=settings.public_url)
    attempts_page = AttemptsPage(
        pages=pages,
        signed_in=signed_in,
        database=core.database,
        now=core.now,
        public_url=settings.public_url,
        directory=authserver.directory,
        admission=authserver.admission,
        vendor_schemes=profiles.vendor_schemes(),
    )
    why_page = WhyPage(
        pages=pages, signed_in=signed_in, database=core.database, now=core.now, public_url=settings.public_url
    )
    keyed: dict[str, Any] = {
        "database": core.database,
        "authenticate_api_key": lambda reader, text: door.authenticate(reader, text, now=core.now()).principal,
        "now": core.now,
    }
    return [
        *Home.routes(),
        *authserver.routes(),
        *sign_in_pages.routes(),
        *keys_page.routes(),
        *notices.routes(),
        *attempts_page.routes(),
        *why_page.routes(),
        *ResourcesApi(**keyed).routes(),
        *ExplainApi(**keyed).routes(),
    ]


@dataclass(frozen=True, slots=True)
class _AnyTenant:
    """For a server that no tenant has enabled."""

    tenant_id: TenantId = TenantId("")
    tenant_slug: str = "none"
    tenant_name: str = ""


async def probed(core: Core, slugs: Sequence[str]) -> dict[str, Health]:
    """Ask the active servers (those of ``slugs``, or all) how they are. Raises ``SettingsError`` for an unknown slug."""
    known, sealed, catalogue = await core.database.read_long(
        lambda reader: (
            {server.slug: server for server in servers.servers(reader)},
            stored_secrets.sealed_secrets(reader),
            permissions.catalogue(reader),
        )
    )
    for slug in slugs:
        if slug not in known:
            raise SettingsError(f"there is no active server {slug!r}. Known here: {', '.join(known) or 'none'}.")
    auth = UpstreamAuth(lambda: sealed, partial(upstream_secrets.unseal, sealer=core.sealer))
    pool = HttpPool(first_byte_timeout=PROBE_SECONDS)
    commands = StdioServers(entropy=core.entropy, timeout=PROBE_SECONDS, auth=auth)
    upstream = Upstream(pool, commands, auth)
    identities = Identities(_issuer(core), now=core.now, entropy=core.entropy)
    words = {entry.permission: entry for entry in catalogue}
    try:
        return {
            slug: await probe(upstream, server, identities.of_gateway(server, _AnyTenant(), words))
            for slug, server in known.items()
            if not slugs or slug in slugs
        }
    finally:
        await commands.close()
        await pool.close()


def client_directory(settings: Settings) -> ClientDirectory:
    """Return what a command needs to know a client again. Raises ``SettingsError``."""
    return ClientDirectory(
        pinned_documents=_pinned(settings), bundled_documents=_bundled(settings), policy=settings.cimd.policy,
        vendor_schemes=profiles.vendor_schemes(),
    )  # fmt: skip


def external_bearers(settings: Settings, now: Callable[[], Instant]) -> ExternalBearers | None:
    """Return what knows other systems' bearers. Raises ``SettingsError``."""
    systems: list[ExternalSystem] = []
    for name, said in settings.external_bearers.items():
        where = f"external_bearers.{name}"
        wrong = why_prefix_is_ours(said.prefix, settings.api_keys.prefix)
        others = [
            each for each in systems if each.prefix.startswith(said.prefix) or said.prefix.startswith(each.prefix)
        ]
        if wrong or others:
            raise SettingsError(
                f"{where}.prefix: {wrong or f'{others[0].name} has such a one'}. Choose another prefix."
            )
        if said.kind not in {"introspection", "profile"} or target_of(said.url) is None:
            raise SettingsError(f"{where}: write kind introspection or profile, and an https url with a host name.")
        if bool(said.tenant) == bool(said.tenant_field) or bool(said.scopes) == bool(said.scope_field):
            raise SettingsError(f"{where}: write either tenant or tenant_field, and either scopes or scope_field.")
        systems.append(_system(name, said))
    # Many callers, few hosts, all named by the operator.
    fetcher = Fetcher(now=now, per_minute=EXTERNAL_PER_MINUTE)
    return ExternalBearers(systems, fetcher=fetcher, now=now) if systems else None


def _system(name: str, said: ExternalSettings) -> ExternalSystem:
    secret = ""
    try:
        secret = Path(said.client_secret_file).read_text(encoding="utf-8").strip() if said.client_secret_file else ""
    except (OSError, UnicodeDecodeError) as wrong:
        raise SettingsError(f"external_bearers.{name}.client_secret_file: cannot be read. Mend the path.") from wrong
    return ExternalSystem(
        name=name, prefix=said.prefix, url=said.url, introspects=said.kind == "introspection", client_id=said.client_id,
        client_secret=secret, audience=said.audience, email_field=said.email_field, verified_field=said.verified_field,
        trust_email=said.trust_email, subject_field=said.subject_field, subjects=said.subjects, tenant=said.tenant,
        tenant_field=said.tenant_field, scopes=frozenset(map(Permission, said.scopes)), scope_field=said.scope_field,
        scope_map={one: frozenset(map(Permission, ours.split())) for one, ours in said.scope_map.items()},
    )  # fmt: skip


def _pinned(settings: Settings) -> dict[str, bytes]:
    """Read the operator's own copies of Client ID Metadata Documents."""
    found = {}
    for url, path in settings.cimd.pinned.items():
        try:
            found[url] = Path(path).read_bytes()
        except OSError as wrong:
            raise SettingsError(f"cimd.pinned: {path} cannot be read ({wrong.strerror}). Mend the path.") from wrong
    return found


def _bundled(settings: Settings) -> Mapping[str, Mapping[str, Any]]:
    """Return our copies of known vendors' documents but those that the operator does not want."""
    unknown = set(settings.cimd.unbundled) - profiles.bundled_documents().keys()
    if unknown:
        raise SettingsError(f"cimd.unbundled: no copy of {min(unknown)} is bundled. Take it out.")
    return {url: each for url, each in profiles.bundled_documents().items() if url not in settings.cimd.unbundled}


def serve(settings: Settings) -> None:
    """Run the server until a signal ends it. Raises ``SettingsError``, ``NotReady``."""
    configure_logs(settings.log.level, settings.log.format)
    host, port = settings.server.host, settings.server.port
    try:
        listener = server.listen(host, port)
    except OSError as wrong:
        raise SettingsError(f"{host} port {port}: {wrong.strerror}. Choose another address or port.") from wrong
    with contextlib.closing(listener), hold_node_lock(settings.database_url):
        uvloop.run(_serve(settings, listener))


async def _serve(settings: Settings, listener: socket.socket) -> None:
    core = await open_core(settings, create=True)
    try:
        app = await build(core)

        async def ready() -> None:
            structlog.get_logger("doorward").info("serving", url=settings.public_url)

        await server.run(app, listener, on_ready=ready)
    finally:
        await core.close()
