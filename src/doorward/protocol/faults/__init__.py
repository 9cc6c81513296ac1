"""Every error Doorward answers with has one entry here: a stable code, a title, one line of cause, one line of fix.

Codes never change their meaning and are never reused; the documentation has one page per code. The texts are public:
they name no user, tenant or secret and say the same for what is foreign and what does not exist. They are ASCII without
quotes or backslashes, so that ``cause`` fits an ``error_description`` (RFC 6749 section 5.2) as it stands.

DW-1xx authorization request and registration, DW-2xx token endpoint, DW-3xx bearer credentials and gateway,
DW-4xx accounts, keys and administration, DW-5xx storage and upstream.
"""

from collections.abc import Mapping
from types import MappingProxyType

from doorward.protocol.faults.accounts import *
from doorward.protocol.faults.authorization import *
from doorward.protocol.faults.clients import *
from doorward.protocol.faults.fault import Fault as Fault
from doorward.protocol.faults.gateway import *
from doorward.protocol.faults.keys import *
from doorward.protocol.faults.linking import *
from doorward.protocol.faults.mail import *
from doorward.protocol.faults.management import *
from doorward.protocol.faults.registration import *
from doorward.protocol.faults.roles import *
from doorward.protocol.faults.servers import *
from doorward.protocol.faults.sign_in import *
from doorward.protocol.faults.token import *
from doorward.protocol.faults.upstream import *

FAULTS: Mapping[str, Fault] = MappingProxyType(
    {fault.code: fault for fault in list(globals().values()) if isinstance(fault, Fault)}
)
"""All faults by code."""
