"""What a message asks for, in every protocol revision that is served.

The answer comes from the body alone; routing headers only have to agree with it (MCP 2026-07-28, streamable HTTP,
"Server Validation"; security K8, K9). A name that can not exist, a wrong type, a missing parameter: each is an ``Ask``
or a ``JsonRpcError``, never another exception.
"""

from doorward.protocol.mcp.agreement import *
from doorward.protocol.mcp.asks import *
from doorward.protocol.mcp.reading import *
