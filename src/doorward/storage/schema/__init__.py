"""All tables, and the triggers that stamp revisions.

Ids are text, times are integers (µs since the epoch, UTC), truth values are 0 or 1, secrets are fingerprints. Sets of
permissions are space-separated text (the form of an OAuth ``scope``), other lists and mappings JSON text. The migration
in ``migrations/versions`` makes the same; a test compares the two.
"""

from typing import Final

from doorward.storage.schema.api import *
from doorward.storage.schema.approvals import *
from doorward.storage.schema.basics import *
from doorward.storage.schema.clients import *
from doorward.storage.schema.columns import metadata as metadata
from doorward.storage.schema.connections import *
from doorward.storage.schema.credentials import *
from doorward.storage.schema.events import *
from doorward.storage.schema.mail import *
from doorward.storage.schema.passkeys import *
from doorward.storage.schema.servers import *
from doorward.storage.schema.sign_in import *
from doorward.storage.schema.tenants import *
from doorward.storage.schema.upstreams import *
from doorward.storage.schema.usage import *

HEAD: Final = "0001"
"""The newest migration. A database at this revision is used without loading Alembic."""
