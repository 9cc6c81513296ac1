"""Links that went by mail (DW-430 to 439)."""

from doorward.protocol.faults.fault import Fault

LINK_UNKNOWN = Fault(
    "DW-430",
    "This link does not work",
    "The link is not complete, or it is so old that it is not known any more.",
    "Copy the whole address from the mail, or ask for a new mail.",
)
LINK_EXPIRED = Fault(
    "DW-431",
    "This link has expired",
    "The link was not used in time.",
    "Ask for a new mail.",
)
LINK_USED = Fault(
    "DW-432",
    "This link was used already",
    "A link from a mail works once.",
    "If it was not you who used it, tell your administrator. Else ask for a new mail.",
)
LINK_ENDED = Fault(
    "DW-433",
    "This link is not good any more",
    "A newer link took its place, it was taken back, or the account has changed since.",
    "Open the newest mail, or ask for a new one.",
)
LINK_OF_ANOTHER = Fault(
    "DW-434",
    "This link is for another account",
    "You are signed in, and the link is not for the account that you are signed in with.",
    "Sign out, then open the link again.",
)
MAIL_OFF = Fault(
    "DW-435",
    "Mail is not set up here",
    "This deployment sends no mail, so it cannot send a link.",
    "Ask the operator to set up mail, or to do this with a command.",
)
TOO_MANY_MAILS = Fault(
    "DW-436",
    "Too many mails were asked for",
    "So many mails were asked for in this hour that no more are sent.",
    "Wait, then ask again. Mails that were sent before still count.",
)
INVITATION_VOID = Fault(
    "DW-437",
    "This invitation cannot be accepted",
    "It was taken back or accepted before, or who invited you may not do so any more.",
    "Ask an administrator of the tenant for a new invitation.",
)
INVITATION_UNKNOWN = Fault(
    "DW-438",
    "There is no such invitation",
    "No invitation of this tenant has this id.",
    "Look at the list of invitations again.",
)
ACCOUNT_CLOSED = Fault(
    "DW-439",
    "This account may not sign in",
    "The account that the link is for is not active.",
    "Ask an administrator.",
)
