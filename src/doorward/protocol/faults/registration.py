"""Registration and client metadata (DW-1xx)."""

from doorward.protocol.faults.fault import Fault

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
