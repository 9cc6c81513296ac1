"""Authorization requests (DW-1xx)."""

from doorward.protocol.faults.fault import Fault

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
