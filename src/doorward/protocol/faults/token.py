"""The token endpoint (DW-2xx)."""

from doorward.protocol.faults.fault import Fault

TOKEN_CONTENT_TYPE = Fault(
    "DW-201",
    "The request has the wrong content type",
    "The body must be application/x-www-form-urlencoded.",
    "Send the parameters form-encoded in the body.",
)
TOKEN_PARAMETERS_IN_URL = Fault(
    "DW-202",
    "Parameters were sent in the URL",
    "This endpoint takes parameters in the body only.",
    "Move the parameters to the body; treat secrets that were in the URL as leaked.",
)
TOKEN_MALFORMED = Fault(
    "DW-203",
    "The request cannot be read",
    "The body is not valid form-encoded UTF-8, or is too large.",
    "Encode the parameters as application/x-www-form-urlencoded.",
)
TOKEN_PARAMETER_REPEATED = Fault(
    "DW-204",
    "A parameter was sent twice",
    "A parameter appears more than once in the body.",
    "Send each parameter once.",
)
TOKEN_PARAMETER_MISSING = Fault(
    "DW-205",
    "A parameter is missing",
    "A parameter that this request needs is missing.",
    "Send all parameters of the grant.",
)
GRANT_UNSUPPORTED = Fault(
    "DW-206",
    "This grant is not offered",
    "The grant_type is not supported here.",
    "Use one of grant_types_supported in the metadata.",
)
GRANT_NOT_REGISTERED = Fault(
    "DW-207",
    "This app may not use this grant",
    "The client is not registered for this grant_type.",
    "Register the client with this grant type.",
)
CLIENT_AUTHENTICATION = Fault(
    "DW-208",
    "The app could not be authenticated",
    "The client is unknown, or its credentials or its way of sending them are wrong.",
    "Check the client_id and secret, or remove the stored sign-in in the app and connect again.",
)
CLIENT_AUTHENTICATION_AMBIGUOUS = Fault(
    "DW-209",
    "The app authenticated in two ways",
    "Client credentials were sent in more than one way, or contradict each other.",
    "Use exactly one authentication method.",
)
CODE_INVALID = Fault(
    "DW-210",
    "The authorization code is not valid",
    "The code is unknown, expired, used or not for this client and request.",
    "Connect again to get a new code.",
)
CODE_REPLAYED = Fault(
    "DW-211",
    "The authorization code was used twice",
    "The code had been used already; what it gave was revoked.",
    "Connect again; if this repeats, another program reads your codes.",
)
REFRESH_INVALID = Fault(
    "DW-212",
    "The refresh token is not valid",
    "The refresh token is unknown, expired, revoked or not for this client.",
    "Connect again.",
)
REFRESH_REPLAYED = Fault(
    "DW-213",
    "The refresh token was used twice",
    "A refresh token that had been replaced was used again; the connection was ended.",
    "Connect again; if this repeats, two programs share one stored sign-in.",
)
SCOPE_WIDENED = Fault(
    "DW-214",
    "More was asked than was approved",
    "The scope goes beyond what was approved for this connection.",
    "Leave scope out, or connect again to approve more.",
)
TOKEN_RESOURCE = Fault(
    "DW-215",
    "The token was asked for another server",
    "The resource is not the server that this connection was approved for.",
    "Send the same resource as in the authorization request.",
)
CONNECTION_ENDED = Fault(
    "DW-216",
    "This connection has ended",
    "The connection was disconnected, has expired, or its user no longer has access.",
    "Connect again.",
)
TOKEN_METHOD = Fault(
    "DW-218",
    "This endpoint takes POST only",
    "The request method is not POST.",
    "Send a POST request.",
)
MACHINE_UNKNOWN = Fault(
    "DW-230",
    "This client may not act by itself",
    "The client has no service account that is active and belongs to its tenant alone.",
    "Give the client a service account with doorward apply, and that account a role.",
)
WORKLOAD_UNTRUSTED = Fault(
    "DW-247",
    "No trust rule takes this token",
    "The assertion is not one that a trust rule of this server takes, or it was used before.",
    "Compare its claims with the rule (doorward trust list); the audit log names those that did not fit.",
)
SECRET_THROTTLED = Fault(
    "DW-231",
    "Too many wrong client secrets",
    "This address sent too many wrong client secrets.",
    "Wait for the seconds that Retry-After says, and check the secret that the client uses.",
)

CLIENT_KEYS_UNAVAILABLE = Fault(
    "DW-232",
    "The keys of this app cannot be had just now",
    "The app signs who it is, and its maker's server, where the keys are, did not answer.",
    "Try again in half a minute. If it goes on, look in the log for what its server answered.",
)

DEVICE_PENDING = Fault(
    "DW-240",
    "The person has not answered yet",
    "Nobody has approved or denied this device yet.",
    "Ask again after the interval.",
)
DEVICE_SLOW_DOWN = Fault(
    "DW-241",
    "The device asks too often",
    "The device asked again before its interval was over.",
    "Wait 5 seconds longer between two requests from now on.",
)
DEVICE_EXPIRED = Fault(
    "DW-242",
    "The code of the device has expired",
    "Nobody approved this device in time.",
    "Start again on the device to get a new code.",
)
DEVICE_DENIED = Fault(
    "DW-243",
    "The person said no",
    "The person who was asked denied this device.",
    "Start again on the device if that was a mistake.",
)
DEVICE_CODE_INVALID = Fault(
    "DW-244",
    "The device code is not valid",
    "The device code is unknown, used or not for this client.",
    "Start again on the device to get a new code.",
)
DEVICE_THROTTLED = Fault(
    "DW-245",
    "Too many devices ask",
    "This address, or all together, began too many device sign-ins.",
    "Wait for the seconds that Retry-After says, then start again on the device.",
)
DEVICE_GRANT = Fault(
    "DW-246",
    "This app may not sign in devices",
    "The client is not registered for the device grant any more.",
    "Register the client with the grant type urn:ietf:params:oauth:grant-type:device_code.",
)
