"""When, from where and by what client credentials were used, and how often (features C4, F1), written in batches."""

from doorward.model import SECOND, ApiKeyId, CredentialKind, Instant
from doorward.storage import api_keys, credential_days
from doorward.storage.api_keys import Use
from doorward.storage.credential_days import Counted
from doorward.storage.database import Database, Transaction

MAX_WAITING = 50_000
_DAY = 86_400 * SECOND
_COUNTED_ELSEWHERE = frozenset({CredentialKind.EXTERNAL, CredentialKind.SESSION})


class CredentialUses:
    """The uses of API keys and connections since the last ``flush``; a crash loses at most those."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._keys: dict[ApiKeyId, Use] = {}
        self._counts: dict[tuple[str, int], tuple[int, Instant]] = {}

    def touch(
        self, kind: CredentialKind, credential_id: str, at: Instant, address: str | None, client: str | None
    ) -> None:
        """Remember one use; never blocks, never raises. Other systems' bearers are theirs to count, sessions count themselves."""
        if kind in _COUNTED_ELSEWHERE:
            return
        place = credential_id, at // _DAY
        known = self._counts.get(place)
        if known is None and len(self._counts) >= MAX_WAITING:
            return
        self._counts[place] = 1 if known is None else known[0] + 1, at
        if kind is CredentialKind.API_KEY:
            key_id = ApiKeyId(credential_id)
            self._keys[key_id] = (key_id, at, address, client)

    async def flush(self) -> None:
        """Write what waits. Raises ``StorageUnavailable``, keeping it."""
        uses, counts = list(self._keys.values()), self._counts
        if not counts:
            return
        self._counts = {}
        rows: list[Counted] = [(name, day, calls, at) for (name, day), (calls, at) in counts.items()]

        def write(tx: Transaction) -> None:
            api_keys.touch_api_keys(tx, uses)
            credential_days.count_calls(tx, rows)

        try:
            await self._database.write(write)
        except BaseException:
            self._give_back(rows)
            raise
        for use in uses:
            if self._keys.get(use[0]) is use:
                del self._keys[use[0]]

    def _give_back(self, rows: list[Counted]) -> None:
        for name, day, calls, at in rows:
            more, later = self._counts.get((name, day), (0, at))
            self._counts[name, day] = calls + more, max(at, later)
