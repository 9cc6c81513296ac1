"""Every error Doorward answers with has one entry here: a stable code, a title, one line of cause, one line of fix.

Codes never change their meaning and are never reused; the documentation has one page per code. The texts are public:
they name no user, tenant or secret and say the same for what is foreign and what does not exist. They are ASCII without
quotes or backslashes, so that ``cause`` fits an ``error_description`` (RFC 6749 section 5.2) as it stands.

DW-1xx authorization request and registration, DW-2xx token endpoint, DW-3xx bearer credentials and gateway,
DW-4xx accounts, keys and administration, DW-5xx storage and upstream.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of failure, in words for the person who meets it."""

    code: str
    title: str
    cause: str
    fix: str


# Authorization request

CLIENT_ID_MISSING = Fault(
    "DW-101",
    "The app did not say who it is",
    "The request has no client_id.",
    "Remove the server from the app and add it again, so that the app registers itself.",
)
CLIENT_UNKNOWN = Fault(
    "DW-102",
    "This app is not known here",
    "The client_id is not registered here, or is no longer active.",
    "Remove the stored sign-in for this server in the app, then connect again.",
)
CLIENT_ID_DAMAGED = Fault(
    "DW-129",
    "The app damaged its own id",
    "The client_id cannot be one that was given out here: the app changed it. Visual Studio Code 1.138 does.",
    "Update the app, remove its stored sign-in for this server, then connect again.",
)
REDIRECT_MISSING = Fault(
    "DW-103",
    "The app did not say where to return",
    "The request has no redirect_uri and it cannot be inferred.",
    "Send the redirect_uri that was registered.",
)
REDIRECT_NOT_REGISTERED = Fault(
    "DW-104",
    "The way back to the app is not registered",
    "The redirect_uri is not one of those registered for this client.",
    "Connect again so that the app registers its current address, or add it to the client.",
)
CLIENT_NOT_ALLOWED = Fault(
    "DW-135",
    "Your administrator has to allow this app",
    "Apps that registered themselves are let in here only after an administrator allowed them.",
    "Send the request id to your administrator, who finds the app under Connection attempts. Then connect again.",
)
PARAMETER_REPEATED = Fault(
    "DW-105",
    "A parameter was sent twice",
    "A parameter appears more than once in the request.",
    "Send each parameter once.",
)
RESPONSE_TYPE_MISSING = Fault(
    "DW-106",
    "The request is incomplete",
    "The request has no response_type.",
    "Send response_type=code.",
)
RESPONSE_TYPE_UNSUPPORTED = Fault(
    "DW-107",
    "This way of signing in is not offered",
    "Only response_type=code is supported.",
    "Use the authorization code flow.",
)
RESPONSE_MODE_UNSUPPORTED = Fault(
    "DW-108",
    "This way of answering is not offered",
    "Only response_mode=query is supported.",
    "Leave response_mode out.",
)
PKCE_MISSING = Fault(
    "DW-109",
    "The request is not protected by PKCE",
    "The request has no code_challenge.",
    "Send code_challenge with code_challenge_method=S256.",
)
PKCE_METHOD = Fault(
    "DW-110",
    "This PKCE method is not accepted",
    "The code_challenge_method must be S256.",
    "Send code_challenge_method=S256.",
)
PKCE_MALFORMED = Fault(
    "DW-111",
    "The PKCE challenge is malformed",
    "The code_challenge is not 43 base64url characters.",
    "Send BASE64URL(SHA256(code_verifier)) without padding.",
)
REQUEST_OBJECT = Fault(
    "DW-112",
    "Request objects are not accepted",
    "The parameter request is not supported.",
    "Send the parameters in the query.",
)
REQUEST_URI = Fault(
    "DW-113",
    "Request references are not accepted",
    "The parameter request_uri is not supported.",
    "Send the parameters in the query.",
)
PROMPT_INVALID = Fault(
    "DW-114",
    "The prompt parameter is not valid",
    "The prompt has an unknown value, or combines none with another.",
    "Use none alone, or any of login, consent and select_account.",
)
STATE_INVALID = Fault(
    "DW-115",
    "The state parameter is not valid",
    "The state is longer than 4096 characters or not valid text.",
    "Send a shorter state.",
)
SCOPE_INVALID = Fault(
    "DW-116",
    "The requested scopes are not valid",
    "The scope is malformed, or none of the requested scopes exists here.",
    "Ask only for scopes listed in the metadata of this server.",
)
RESOURCE_UNKNOWN = Fault(
    "DW-117",
    "The requested server is not known here",
    "The resource is not the URL of an MCP server here, or two different ones were named.",
    "Use the server URL exactly as it is shown on the setup page.",
)
REGISTRATION_OBJECT = Fault(
    "DW-150",
    "Self-issued registration is not accepted",
    "The parameter registration is not supported.",
    "Register the client at the registration endpoint.",
)
NONCE_INVALID = Fault(
    "DW-151",
    "The nonce cannot be kept",
    "The nonce is longer than 1024 characters or is not text.",
    "Send a shorter nonce.",
)
ID_TOKEN_HINT_INVALID = Fault(
    "DW-152",
    "The hint is not an ID token of this app",
    "The id_token_hint was not made here, was not made for this client, or its key is gone.",
    "Send the last ID token that the client got here, or leave the hint out.",
)
LOGOUT_INVALID = Fault(
    "DW-153",
    "The sign-out request contradicts itself",
    "The sign-out request repeats a parameter, or its client_id is not the one that the ID token was made for.",
    "Send each parameter once, and the client_id that the ID token names.",
)
LOGIN_REQUIRED = Fault(
    "DW-118",
    "Nobody is signed in",
    "The request forbids a sign-in page and nobody is signed in.",
    "Start again without prompt=none.",
)
CONSENT_REQUIRED = Fault(
    "DW-119",
    "Approval is needed",
    "The request forbids a consent page and approval is needed.",
    "Start again without prompt=none.",
)
ACCESS_DENIED = Fault(
    "DW-120",
    "Access was not approved",
    "The request was denied on the consent page.",
    "Connect again and approve if this was not intended.",
)
REQUEST_EXPIRED = Fault(
    "DW-121",
    "This request has expired",
    "The sign-in took too long, or this request was answered already.",
    "Go back to the app and connect again.",
)
REQUEST_FOREIGN = Fault(
    "DW-122",
    "This request belongs to another browser",
    "The request was started in another browser or for another user, or was altered.",
    "Go back to the app and connect again in this browser.",
)
NO_TENANT = Fault(
    "DW-123",
    "There is nothing to connect to",
    "The signed-in person has no tenant in which this server can be used.",
    "Sign in with another account, or ask an administrator for access.",
)
SERVER_OFF = Fault(
    "DW-160",
    "Your tenant does not use this server",
    "The signed-in person belongs to a tenant, and the tenant has not turned this server on.",
    "Ask an administrator of your tenant to turn it on, or sign in with another account.",
)
MAX_AGE_INVALID = Fault(
    "DW-124",
    "The max_age parameter is not valid",
    "The max_age is not a number of seconds.",
    "Send a whole number of seconds, or leave max_age out.",
)
CLIENT_GRANT = Fault(
    "DW-125",
    "This app may not sign people in",
    "The client is not registered for the authorization code grant.",
    "Register the client with grant_types that contain authorization_code.",
)
REQUEST_MALFORMED = Fault(
    "DW-126",
    "The request cannot be read",
    "The parameters are not valid form-encoded UTF-8, or there are too many.",
    "Encode the parameters as application/x-www-form-urlencoded.",
)

# Registration and client metadata

REGISTRATION_MALFORMED = Fault(
    "DW-140",
    "The registration cannot be read",
    "The body is not a JSON object, or is too large.",
    "Send one JSON object as RFC 7591 describes it.",
)
REDIRECT_URIS_MISSING = Fault(
    "DW-141",
    "The registration names no way back",
    "The redirect_uris are missing, empty or too many.",
    "Register between 1 and 32 redirect URIs.",
)
REDIRECT_URI_REFUSED = Fault(
    "DW-142",
    "A redirect URI is not acceptable",
    "A redirect URI is neither https, nor http on loopback, nor an accepted private-use scheme, or is ambiguous.",
    "Use a plain https or loopback URI without fragment, user name, wildcard, dot segments or reserved parameters.",
)
REDIRECT_SCHEME_UNKNOWN = Fault(
    "DW-143",
    "A redirect URI has an unknown scheme",
    "A private-use scheme must contain a dot or be on the list of known apps.",
    "Use a reverse-domain scheme such as com.example.app, or a loopback URI.",
)
METADATA_INVALID = Fault(
    "DW-144",
    "The client metadata is not valid",
    "A member of the client metadata has the wrong type or an unsupported value.",
    "Correct the member that is named in the server log under the request id.",
)
CLIENT_NAME_REFUSED = Fault(
    "DW-145",
    "The client name is not acceptable",
    "The client_name is longer than 128 characters or holds control or invisible characters.",
    "Register a short name of visible characters.",
)
METADATA_URI_REFUSED = Fault(
    "DW-146",
    "A link in the client metadata is not acceptable",
    "A URI in the client metadata is not a plain http or https URL.",
    "Use https URLs.",
)
SOFTWARE_STATEMENT = Fault(
    "DW-147",
    "Software statements are not accepted",
    "The software_statement cannot be verified here.",
    "Register without a software_statement.",
)
REGISTRATION_CLOSED = Fault(
    "DW-148",
    "Apps cannot register themselves here",
    "Self-registration is switched off or limited to approved apps.",
    "Ask an administrator to register the app.",
)
REGISTRATION_TOKEN = Fault(
    "DW-136",
    "This is not the token of this registration",
    "The registration access token is missing, replaced, or belongs to another registration, or there is none.",
    "Send the newest registration_access_token of this client. Public clients have none: they register again.",
)
REGISTRATION_UPDATE = Fault(
    "DW-137",
    "The registration cannot be changed like this",
    "A change must name its own client_id, keep a secret, and may set nothing that is given out here.",
    "Send all metadata with client_id as RFC 7592 section 2.2 says, without the members that only the server sets.",
)
REGISTRATION_THROTTLED = Fault(
    "DW-149",
    "Too many new apps registered",
    "Too many apps that are new here were registered from this network or altogether.",
    "Wait as long as Retry-After says. Apps that are known here can register and connect meanwhile.",
)
METADATA_DOCUMENT_INVALID = Fault(
    "DW-151",
    "The description of the app is not valid",
    "The metadata document of the client does not meet the rules for such documents.",
    "The publisher of the app has to correct the document.",
)
METADATA_DOCUMENT_UNUSABLE = Fault(
    "DW-152",
    "The description of the app cannot be used",
    "The metadata document of the client could not be fetched, or does not meet the rules for such documents.",
    "Try again in a minute. If it stays so, the publisher of the app has to look at the document.",
)
METADATA_DOCUMENT_BUSY = Fault(
    "DW-153",
    "Too many new apps at once",
    "The app is new here, and its description is not fetched at this moment because many were asked for.",
    "Try again in a minute.",
)

# Token endpoint

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

# Bearer credentials and the gateway

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

# Accounts, keys, administration

SIGNED_OUT = Fault(
    "DW-403",
    "You are signed out",
    "The browser session has ended.",
    "Sign in again.",
)
FORM_EXPIRED = Fault(
    "DW-404",
    "This form has expired",
    "The form was opened too long ago, in another session, or was altered.",
    "Open the page again and repeat the change.",
)
NOT_PERMITTED = Fault(
    "DW-405",
    "You may not do this",
    "Your roles in this tenant do not allow it.",
    "Ask an administrator of the tenant.",
)
PAGE_UNKNOWN = Fault(
    "DW-406",
    "There is no such page",
    "Nothing is found at this address.",
    "Start again from the settings page.",
)
SIGN_IN_BUSY = Fault(
    "DW-407",
    "Sign-in is busy",
    "More people are signing in than passwords can be checked at this moment.",
    "Wait a few seconds and try again.",
)
CROSS_SITE = Fault(
    "DW-408",
    "This came from another site",
    "The form was not sent from a page of this service.",
    "Open the page here and send the form again.",
)
REQUEST_INVALID = Fault(
    "DW-409",
    "The request cannot be read",
    "The Host header, the form or the size of the request is not valid.",
    "Open the page again. If a proxy stands in front, check what it changes.",
)
METHOD_REFUSED = Fault(
    "DW-415",
    "This address takes another method",
    "The request method is not offered at this address.",
    "Use a method that the Allow header names.",
)
KEY_MADE_ALREADY = Fault(
    "DW-416",
    "This key was made already",
    "The form was sent twice. The key was made the first time, and shown then.",
    "If you did not copy it, revoke it and create another.",
)

# Storage and upstream

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

FAULTS: Mapping[str, Fault] = MappingProxyType(
    {fault.code: fault for fault in list(globals().values()) if isinstance(fault, Fault)}
)
"""All faults by code."""
