"""Linked accounts: people's own accounts at servers behind the gateway (DW-37x, DW-51x)."""

from doorward.protocol.faults.fault import Fault

NOT_LINKED = Fault(
    "DW-370",
    "Link your account first",
    "This server knows people by their own account there, and yours is not linked, or is not linked any more.",
    "Open the address in your browser, link your account, then call again.",
)
LINK_REQUEST_UNKNOWN = Fault(
    "DW-371",
    "This cannot be finished here",
    "The answer of the other side belongs to no request of this browser: it is too old, was used, or began elsewhere.",
    "Begin again under Linked accounts, and finish in the same browser within ten minutes.",
)
LINK_DENIED = Fault(
    "DW-372",
    "The other side did not agree",
    "The server that keeps your account did not let this gateway in; perhaps you declined there.",
    "Begin again under Linked accounts; tell the administrator if you did not decline.",
)
LINK_MIXED_UP = Fault(
    "DW-373",
    "The answer came from somebody else",
    "The answer names another server than the one you were sent to, or none where it must. Nothing was used of it.",
    "Tell the administrator: somebody may be trying to get at accounts.",
)
NOT_LINKABLE = Fault(
    "DW-374",
    "There is nothing to link here",
    "There is no server of this name at which you could link an account in this tenant.",
    "Look under Linked accounts what there is.",
)
LINK_TOO_OFTEN = Fault(
    "DW-375",
    "Too many attempts",
    "Linking was begun too often in the last minute.",
    "Wait a minute, then begin again.",
)
KEY_NOT_THEIR_OWN = Fault(
    "DW-376",
    "A key that somebody else made does not act as your account",
    "This server knows people by their own accounts, and somebody else made or rotated this key.",
    "Sign in and make a key yourself, or connect an app.",
)
LINK_DISCOVERY = Fault(
    "DW-511",
    "It is not known where to sign in",
    "The server, or the one that keeps its accounts, does not say in a usable way where people sign in.",
    "Try again later; the administrator finds the reason in the log, by the request id.",
)
LINK_NO_CLIENT = Fault(
    "DW-512",
    "The other side does not know this gateway",
    "The server that keeps the accounts registers nobody by itself, or refused to register this gateway.",
    "The administrator has to register the gateway there and declare its client_id with the server.",
)
LINK_RENEWING = Fault(
    "DW-513",
    "Your linked account cannot be renewed at this moment",
    "The server that keeps the account does not answer as it must; nothing was passed on.",
    "Try again after the time in Retry-After; link the account again if it stays.",
)
LINK_RENEWED = Fault(
    "DW-516",
    "Your linked account was renewed",
    "The server refused the call for what it was shown, which has been renewed since; perhaps it had begun.",
    "Look whether the call took effect, then call again.",
)
LINK_TOKEN = Fault(
    "DW-514",
    "The other side gave nothing usable",
    "The server that keeps your account did not redeem what it had given your browser.",
    "Begin again under Linked accounts; tell the administrator if it stays.",
)
LINK_CLIENT_REFUSED = Fault(
    "DW-515",
    "The other side refused this gateway",
    "The server that keeps the accounts does not accept the client that this gateway is there.",
    "The administrator has to check client_id and secret of the server.",
)
