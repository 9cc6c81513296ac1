"""Servers and tools as administrators of a tenant meet them (DW-475 to DW-479, DW-520 to DW-524)."""

from doorward.protocol.faults.fault import Fault

OWN_SERVER_INVALID = Fault(
    "DW-475",
    "The server cannot be kept like this",
    "A field of the server is missing or has a value that cannot be used.",
    "Change the field that is named, and send it again.",
)
OWN_SERVERS_CLOSED = Fault(
    "DW-476",
    "Tenants add no servers here",
    "The operator of this deployment does not let tenants add servers of their own.",
    "Ask the operator to declare the server.",
)
OWN_SERVERS_MANY = Fault(
    "DW-477",
    "The tenant has as many servers as it may",
    "The tenant has added as many servers of its own as one tenant may have.",
    "Remove one that is not used any more.",
)
SERVER_NOT_HERE = Fault(
    "DW-478",
    "There is no such server or tool here",
    "The tenant has no server of this name, or the server was never seen to offer this tool.",
    "Look at the list of servers, and at the tools of each.",
)
SERVER_OF_OPERATOR = Fault(
    "DW-479",
    "The operator declares this server",
    "The server is declared for the whole deployment, so that a tenant cannot change it.",
    "Ask the operator, or deny some of its tools in your tenant by an override.",
)
TOOL_CHANGED = Fault(
    "DW-520",
    "The tool is not what it was",
    "The server has changed the tool since the page was shown, so nothing was allowed.",
    "Look at the tool as it is now, then decide again.",
)
OVERRIDE_INVALID = Fault(
    "DW-521",
    "The override cannot be kept like this",
    "A part of the override is missing, or names something that is not there.",
    "Change what is named, and send it again.",
)
SERVER_TESTS_MANY = Fault(
    "DW-523",
    "Too many connections were tested",
    "This tenant tested as many connections as it may in a minute.",
    "Wait a minute, then test again.",
)
