"""The nouns of Doorward. Frozen records without behaviour that could fail; everything else passes these around.

Times are ``Instant``: integer microseconds since the Unix epoch, UTC. Secrets never appear here: a record holds at most
a ``Fingerprint`` (the keyed hash that is stored). Permissions are strings of the grammar ``resource:action``
(``policy/permission.py``); wildcards are expanded before they reach a record.
"""

from doorward.model.approvals import *
from doorward.model.basics import *
from doorward.model.clients import *
from doorward.model.connections import *
from doorward.model.credentials import *
from doorward.model.key_policy import *
from doorward.model.mail import *
from doorward.model.passkeys import *
from doorward.model.servers import *
from doorward.model.sign_in import *
from doorward.model.tenants import *
from doorward.model.upstreams import *
