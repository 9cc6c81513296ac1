"""Bearer credentials and the gateway (DW-3xx)."""

from doorward.protocol.faults.fault import Fault

CREDENTIAL_MISSING = Fault(
    "DW-301",
    "Sign-in is needed",
    "The request has no credential.",
    "Connect with OAuth, or send an API key as a Bearer token.",
)
CREDENTIAL_REPEATED = Fault(
    "DW-302",
    "Two credentials were sent",
    "The request has more than one Authorization header.",
    "Send one Authorization header; check for a second one in the configuration of the app.",
)
CREDENTIAL_SCHEME = Fault(
    "DW-303",
    "This kind of credential is not accepted",
    "The Authorization header does not use the Bearer scheme.",
    "Send Authorization: Bearer followed by the token or key.",
)
CREDENTIAL_MALFORMED = Fault(
    "DW-304",
    "The credential is damaged",
    "The token or key has characters, a length or a checksum that none has.",
    "Copy the key again, whole and without spaces or quotes.",
)
CREDENTIAL_INVALID = Fault(
    "DW-305",
    "The credential is not valid",
    "The token or key is unknown, expired or revoked.",
    "Connect again, or create a new key.",
)
OPENID_MISSING = Fault(
    "DW-350",
    "The app was not allowed to know who you are",
    "The access token was not approved for the scope openid.",
    "Connect again with the scope openid, and leave it ticked.",
)
SCOPE_INSUFFICIENT = Fault(
    "DW-307",
    "This needs a further approval",
    "The connection was not approved for a scope that this call needs.",
    "Approve the further scope when the app asks for it, or connect again.",
)
THING_UNKNOWN = Fault(
    "DW-308",
    "There is no such thing here",
    "No tool, resource or prompt of this name can be used with this connection.",
    "List again what is available; ask an administrator if something is missing.",
)
RESOURCE_OUTSIDE = Fault(
    "DW-309",
    "This is outside what the connection may reach",
    "The call names a resource that does not exist or is outside the resources of this connection.",
    "Use a resource within reach, or connect again with a wider choice.",
)
METHOD_UNKNOWN = Fault(
    "DW-310",
    "This method is not offered",
    "The JSON-RPC method is not offered here.",
    "Use the methods of the Model Context Protocol.",
)
MESSAGE_NOT_JSON = Fault(
    "DW-320",
    "The message is not JSON",
    "The body is not valid UTF-8 JSON.",
    "Send one JSON-RPC message.",
)
MESSAGE_AMBIGUOUS = Fault(
    "DW-321",
    "The message can be read in two ways",
    "An object has the same member twice, or members that differ only in case or form.",
    "Send each member once, in the spelling of the specification.",
)
MESSAGE_LIMITS = Fault(
    "DW-322",
    "The message goes beyond what is accepted",
    "The message is nested too deeply or has a number that not every program can read.",
    "Send large numbers as strings and nest at most 64 levels.",
)
MESSAGE_BATCH = Fault(
    "DW-323",
    "Batches are not accepted",
    "The body is an array; it must be a single JSON-RPC message.",
    "Send each message in its own request.",
)
MESSAGE_INVALID = Fault(
    "DW-324",
    "The message is not valid JSON-RPC",
    "The body is not a valid JSON-RPC 2.0 message.",
    "Send a request, notification or response as JSON-RPC 2.0 defines it.",
)
PARAMS_INVALID = Fault(
    "DW-325",
    "The parameters are not valid",
    "A parameter of the method is missing or has the wrong type.",
    "Send the parameters as the specification defines them.",
)
HEADER_MISMATCH = Fault(
    "DW-326",
    "Headers and body disagree",
    "A routing header is missing, repeated, or does not match the body.",
    "Send MCP-Protocol-Version, Mcp-Method and Mcp-Name once, each equal to the body.",
)
VERSION_UNSUPPORTED = Fault(
    "DW-327",
    "This protocol version is not offered",
    "The MCP protocol version is not supported here.",
    "Use one of the versions listed in the error.",
)
ENVELOPE_MISSING = Fault(
    "DW-328",
    "The message lacks its protocol envelope",
    "The params._meta lacks the protocol version or the client capabilities.",
    "Send both with every request, or connect with an older protocol version.",
)
BODY_TOO_LARGE = Fault(
    "DW-329",
    "The message is too large",
    "The body is larger than this server accepts.",
    "Send less at a time.",
)
CONTENT_TYPE = Fault(
    "DW-330",
    "The request has the wrong content type",
    "The body must be application/json.",
    "Send Content-Type: application/json.",
)
ORIGIN_REFUSED = Fault(
    "DW-331",
    "This web page may not call the server",
    "The Origin of the request is not allowed.",
    "Ask an administrator to allow the origin.",
)
HOST_REFUSED = Fault(
    "DW-332",
    "The server does not answer to this name",
    "The Host of the request is not one of this deployment.",
    "Use the server URL exactly as it is shown on the setup page.",
)
SESSION_UNKNOWN = Fault(
    "DW-333",
    "The session has ended",
    "The MCP session does not exist or has ended.",
    "Start a new session; apps do so by themselves.",
)
HTTP_METHOD = Fault(
    "DW-334",
    "This HTTP method is not offered",
    "The HTTP method is not offered at this address.",
    "Use POST for MCP messages.",
)
TOO_MANY_CALLS = Fault(
    "DW-336",
    "Too many calls",
    "More calls were made than a limit of this key, user, tool or organisation allows.",
    "Wait for the seconds that Retry-After says, then try again.",
)
TOO_MANY_STREAMS = Fault(
    "DW-337",
    "Too many open streams",
    "This key or user has as many open streams as are allowed at once.",
    "Close streams that nobody reads: restart the app, or end connections that are not used.",
)
TOO_MANY_AT_ONCE = Fault(
    "DW-339",
    "Too many calls at once",
    "This key or user has as many calls under way as are allowed at once.",
    "Wait for answers before making more calls.",
)
ENDED_BY_CHANGE = Fault(
    "DW-338",
    "The call was ended",
    "What this call needs was taken away, or could not be checked, while it ran; it may have had its effect.",
    "Ask your administrator for the permission, or connect again.",
)
SERVER_UNKNOWN = Fault(
    "DW-335",
    "There is no server at this address",
    "No MCP server answers at this path.",
    "Use the server URL exactly as it is shown on the setup page.",
)
TASKS_NOT_DECLARED = Fault(
    "DW-381",
    "The app does not say that it knows tasks",
    "A request about tasks has to declare the extension io.modelcontextprotocol/tasks among its capabilities.",
    "Update the app, or call tools that answer at once.",
)
TASK_UNKNOWN = Fault(
    "DW-380",
    "There is no such task here",
    "No task of this id was begun with this connection, it was forgotten, or its tool may not be used any more.",
    "Call the tool again.",
)
APPROVAL_NEEDED = Fault(
    "DW-360",
    "This call needs an approval",
    "This call needs an approval before it is made, and has none yet.",
    "Have it approved at the address given, then make the same call again with exactly the same arguments.",
)
APPROVAL_DENIED = Fault(
    "DW-361",
    "This call was denied",
    "Somebody looked at this call and denied it.",
    "Do not make it again; ask the person what they want instead.",
)
APPROVALS_TOO_MANY = Fault(
    "DW-362",
    "Too many calls wait for an approval",
    "This app or key has as many calls waiting for an approval as are allowed.",
    "Have some of them decided on the page Approvals, or wait until they expire.",
)
APPROVAL_TOO_LONG = Fault(
    "DW-363",
    "The call is too long to be approved",
    "The arguments are longer than somebody can be shown before they approve them.",
    "Split it into smaller calls.",
)
APPROVAL_BY_NOBODY = Fault(
    "DW-364",
    "Nobody can approve this call",
    "The rule asks the person who calls, and there is none who can sign in.",
    "Ask your administrator to name a permission in the approval of this rule.",
)
APPROVAL_OVER = Fault(
    "DW-365",
    "The approval is over",
    "The approval that this call came back with was used, or its time is over.",
    "Make the call anew, without what it came back with; that asks for another approval.",
)
APPROVAL_DECIDED = Fault(
    "DW-366",
    "This call does not wait any more",
    "It was approved, denied or used meanwhile, or its time is over.",
    "Look at it on the page Approvals; the app can make its call again.",
)
APPROVAL_NOT_YOURS = Fault(
    "DW-367",
    "Somebody else decides about this call",
    "You may see this call, but somebody with other rights has to approve or deny it.",
    "Ask somebody who may decide about it.",
)
