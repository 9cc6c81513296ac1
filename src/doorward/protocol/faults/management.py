"""The management API (DW-460 to DW-469)."""

from doorward.protocol.faults.fault import Fault

API_TWO_CREDENTIALS = Fault(
    "DW-460",
    "One credential only",
    "The request carries an Authorization header and the cookie of a session.",
    "Send the key or the cookie, not both.",
)
API_NOT_AS_DESCRIBED = Fault(
    "DW-461",
    "This is not as described",
    "The body, the query or a header is not what this address takes.",
    "Mend what is named. The description of the API says what is taken.",
)
API_KEY_REUSED = Fault(
    "DW-462",
    "This Idempotency-Key was used for something else",
    "The same key came with another request before.",
    "Choose a new Idempotency-Key for each new request.",
)
API_STILL_WORKING = Fault(
    "DW-463",
    "The first one is still being worked on",
    "A request with the same Idempotency-Key is being answered at this moment.",
    "Wait a second and send the same request again.",
)
API_UNKNOWN = Fault(
    "DW-464",
    "There is no such thing",
    "Nothing of this name or id is there for this caller.",
    "Look at the list again, and check the tenant in the address.",
)
API_NOT_PERMITTED = Fault(
    "DW-465",
    "The caller may not do this",
    "It takes a permission that the person or the key does not have, or a key that is not limited.",
    "Use a key that has the permission, of an owner who has it.",
)
API_NO_FORM_TOKEN = Fault(
    "DW-466",
    "The request does not prove that it comes from a page here",
    "A change by session needs the header Doorward-CSRF with what /api/v1/me says.",
    "Read /api/v1/me and send its csrf in that header, or use an API key.",
)
API_PROOF_NEEDED = Fault(
    "DW-467",
    "A recent proof is needed",
    "This change wants somebody who has just shown who they are.",
    "Confirm that it is you at a page of the settings, then send the request again.",
)
API_WRONG_MARK = Fault(
    "DW-468",
    "This is not a mark of this list",
    "What came as after was not given by this list, to this caller, for this query.",
    "Begin again without after.",
)
API_CREDENTIAL_NEEDED = Fault(
    "DW-469",
    "No good credential",
    "The request carries no credential that is good here.",
    "Send Authorization: Bearer with an API key, or sign in.",
)
