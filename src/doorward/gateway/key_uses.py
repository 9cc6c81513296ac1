"""When, from where and by what client an API key was last used (``product.md`` C4), written in batches."""

from doorward.model import ApiKeyId, Instant
from doorward.storage import api_keys
from doorward.storage.database import Database

Use = tuple[ApiKeyId, Instant, str | None, str | None]
MAX_WAITING = 50_000


class KeyUses:
    """The last use of each key since the last ``flush``; a crash loses at most those."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[ApiKeyId, Use] = {}

    def touch(self, key_id: ApiKeyId, at: Instant, address: str | None, client: str | None) -> None:
        """Remember one use; never blocks, never raises."""
        if key_id in self._waiting or len(self._waiting) < MAX_WAITING:
            self._waiting[key_id] = (key_id, at, address, client)

    async def flush(self) -> None:
        """Write what waits. Raises ``StorageUnavailable``, keeping it."""
        uses = list(self._waiting.values())
        if not uses:
            return
        await self._database.write(lambda tx: api_keys.touch_api_keys(tx, uses))
        for use in uses:
            if self._waiting.get(use[0]) is use:
                del self._waiting[use[0]]
