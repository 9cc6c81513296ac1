"""Storage and upstream (DW-5xx)."""

from doorward.protocol.faults.fault import Fault

STORAGE_UNAVAILABLE = Fault(
    "DW-501",
    "The service is not ready",
    "The database cannot be reached, so nothing can be decided.",
    "Try again in a moment; nothing was changed.",
)
UPSTREAM_UNREACHABLE = Fault(
    "DW-502",
    "The server behind the gateway is not reachable",
    "The MCP server behind the gateway did not accept the call.",
    "Try again; tell the administrator if it stays.",
)
UPSTREAM_REFUSED = Fault(
    "DW-503",
    "The server behind the gateway refused the gateway",
    "The MCP server behind the gateway did not accept the identity it was given.",
    "The administrator has to check the configuration of the server.",
)
UPSTREAM_CREDENTIAL = Fault(
    "DW-506",
    "The gateway has no credential for the server behind it",
    "The secret that the MCP server behind the gateway asks for is not kept here, or cannot be opened.",
    "The administrator has to set it with `doorward secret set`.",
)
UPSTREAM_RESTING = Fault(
    "DW-507",
    "The server behind the gateway is away",
    "The MCP server behind the gateway could not be reached several times, and is not tried for some seconds.",
    "Try again after the time in Retry-After; tell the administrator if it stays.",
)
UPSTREAM_ANSWER = Fault(
    "DW-504",
    "The server behind the gateway answered wrongly",
    "The MCP server behind the gateway sent an answer that is not valid.",
    "Tell the administrator, with the request id.",
)
UPSTREAM_TIMEOUT = Fault(
    "DW-505",
    "The server behind the gateway took too long",
    "The MCP server behind the gateway did not answer in time.",
    "Try again; the call may have taken effect.",
)
EXTERNAL_UNAVAILABLE = Fault(
    "DW-508",
    "The system that issued the credential is not reachable",
    "The credential is another system's, and that one cannot be asked about it now.",
    "Try again in a moment; nothing was changed.",
)
UNEXPECTED = Fault(
    "DW-599",
    "Something went wrong here",
    "The request met an error in this service.",
    "Try again; tell the administrator, with the request id.",
)
