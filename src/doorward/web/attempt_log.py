"""The steps of clients on their way in, waiting to be written (A8). Beside the requests: never blocks, never raises.

Strangers decide how often they come, so what belongs to nobody we know has a budget per address and for all; the same
step of the same caller is noted once a minute, whoever it belongs to. Texts that others chose are cut, and what could
forge a line or turn it around is replaced.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final, Protocol

from starlette.requests import Request

from doorward.model import Instant
from doorward.protocol.plain_text import is_visible
from doorward.storage import attempts
from doorward.storage.attempts import AttemptStep, Step
from doorward.storage.database import Database, Unstorable
from doorward.storage.events import CallEvent
from doorward.web.budgets import MinuteBudget
from doorward.web.requester import Requester

PER_ADDRESS: Final = 30
"""Steps in a minute that belong to nobody we know, from one address."""
OF_STRANGERS: Final = 600
"""The same from all addresses."""
PER_PERSON: Final = 60
MAX_WAITING: Final = 5_000
MAX_TEXT: Final = 200
MAX_URI: Final = 1024
MAX_SEEN: Final = 100_000
_ACCESS_TOKEN: Final = "access_token"  # noqa: S105  (a kind of credential)


class Knock(Protocol):
    """A request to an MCP server, as the gateway holds it."""

    @property
    def client(self) -> str | None:
        """The peer's address."""

    @property
    def raw_headers(self) -> Sequence[tuple[bytes, bytes]]:
        """All, in order; names in lower case."""

    @property
    def path(self) -> str:
        """Undecoded, without the query."""

    @property
    def request_id(self) -> str:
        """Ours."""


class AttemptLog:
    """``flush`` is called at least once a second and at the end; a crash loses what waits."""

    def __init__(self, database: Database, *, now: Callable[[], Instant]) -> None:
        self._database, self._now = database, now
        self._waiting: list[AttemptStep] = []
        self._called: set[str] = set()
        self._once = MinuteBudget(1, now=now)
        self._per_address, self._of_strangers = MinuteBudget(PER_ADDRESS, now=now), MinuteBudget(OF_STRANGERS, now=now)
        self._per_person = MinuteBudget(PER_PERSON, now=now)

    def note(self, step: AttemptStep) -> None:
        """Remember one step, unless it was just noted or too many came."""
        step = _clean(step)
        same = (
            step.address,
            step.agent,
            step.step,
            step.code,
            step.flow,
            step.connection_id,
            step.client_id,
            step.path,
        )
        if len(self._waiting) >= MAX_WAITING or not self._once.spend(repr((*same, step.user_id, step.redirect_uri))):
            return
        if step.user_id is not None:
            within = self._per_person.spend(step.user_id)
        else:
            within = self._per_address.spend(step.address) and self._of_strangers.spend("")
        if within:
            self._waiting.append(step)

    def knocked(self, requester: Requester, knock: Knock, code: str | None) -> None:
        """Remember who came to an MCP server without a good credential; ``code`` where it showed another one."""
        peer = None if knock.client is None else (knock.client, 0)
        request = Request({"type": "http", "client": peer, "headers": list(knock.raw_headers)})
        self.note(
            AttemptStep(
                at=self._now(), step=Step.KNOCKED, code=code, request_id=knock.request_id,
                address=requester.of(request), agent=request.headers.get("user-agent", ""), path=knock.path,
            )
        )  # fmt: skip

    def called(self, call: CallEvent) -> None:
        """Remember the first call of each connection that this process sees; storage keeps the first of all."""
        name = call.credential_id
        if name in self._called or call.credential != _ACCESS_TOKEN or len(self._waiting) >= MAX_WAITING:
            return
        if len(self._called) >= MAX_SEEN:
            self._called.clear()
        self._called.add(name)
        self._waiting.append(
            AttemptStep(
                at=call.at, step=Step.CALLED, request_id=call.request_id, connection_id=name, tenant_id=call.tenant_id,
                user_id=call.user_id, client_id=call.client_id,
            )
        )  # fmt: skip

    async def flush(self, *, chunk: int = 200) -> None:
        """Write what waits. Raises ``StorageUnavailable``, keeping it."""
        while self._waiting:
            steps = self._waiting[:chunk]
            # Cleaned texts can be stored; were one missed, those behind it must not wait for ever.
            with suppress(Unstorable):
                await self._database.write(lambda tx: attempts.insert_steps(tx, steps))  # noqa: B023  (awaited here)
            del self._waiting[: len(steps)]


def clean(text: str, most: int = MAX_TEXT) -> str:
    """Return a text that somebody else chose as it may stand in a log, a terminal and a page."""
    short = text[:most]
    return short if is_visible(short) else "".join(each if is_visible(each) else "\ufffd" for each in short)


def _clean(step: AttemptStep) -> AttemptStep:
    return replace(
        step,
        address=clean(step.address),
        agent=clean(step.agent),
        client_id=None if step.client_id is None else clean(step.client_id, MAX_URI),
        client_name=None if step.client_name is None else clean(step.client_name),
        redirect_uri=None if step.redirect_uri is None else clean(step.redirect_uri, MAX_URI),
        path=None if step.path is None else clean(step.path),
    )
