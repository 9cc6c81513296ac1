"""Accounts, keys and administration (DW-4xx)."""

from doorward.protocol.faults.fault import Fault

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
LAST_OWNER = Fault(
    "DW-450",
    "A tenant keeps an owner",
    "This person is the one owner of a tenant, which would then have nobody to speak for it.",
    "Make somebody else an owner of that tenant first, then do this again.",
)
BEYOND_OWN_RIGHTS = Fault(
    "DW-451",
    "That is more than you may do yourself",
    "Nobody can give, take or change rights beyond their own, and only an owner touches an owner.",
    "Ask an owner of the tenant to do it.",
)
ACCOUNT_NOT_YOURS = Fault(
    "DW-452",
    "This account is not yours alone",
    "The account does not belong to this tenant alone, so the tenant cannot end it.",
    "Remove the person from the tenant: all that they hold in it ends at once. Who runs the server can end the account.",
)
MEMBER_UNKNOWN = Fault(
    "DW-453",
    "There is no such member",
    "Nobody of this id or address is a member here.",
    "Look at the list of members again.",
)
MEMBER_INVALID = Fault(
    "DW-454",
    "This cannot be a member",
    "The address, the name or one of the roles cannot be used.",
    "Mend what is named and send it again.",
)
CONFIRMATION_EXPIRED = Fault(
    "DW-455",
    "Too much time has passed",
    "What you were asked to confirm was asked too long ago, in another session, or is done already.",
    "Go back to the page and make the change again.",
)
FORM_OF_ANOTHER = Fault(
    "DW-457",
    "This form belongs to somebody else",
    "Another person is signed in in this browser than the one who filled the form in.",
    "Sign in as the one whose form it is, or send it as yourself.",
)
FORM_UNCERTAIN = Fault(
    "DW-458",
    "Look before this is sent",
    "It is not certain whose form this is, or it has waited for too long.",
    "Look at what it holds, and send it if it is still right.",
)
FORM_SENT_ALREADY = Fault(
    "DW-459",
    "This form was sent already",
    "It was sent before, from this page or from a copy of it. It is not done twice.",
    "Look whether it is done. Send it again only if it is not.",
)
PASSKEY_REFUSED = Fault(
    "DW-456",
    "The passkey was not accepted",
    "It is not known here, belongs to somebody else, or its answer does not fit what was asked.",
    "Try again, or use another way to sign in.",
)
