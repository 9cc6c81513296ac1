"""Clients that people register (DW-49x)."""

from doorward.protocol.faults.fault import Fault

CLIENT_OF_OTHERS = Fault(
    "DW-490",
    "This app is not for you",
    "The app was registered for one tenant, or by somebody for themselves, and you are not among these people.",
    "Use another account, or ask an administrator of your tenant to register the app there.",
)
CLIENT_WISH = Fault(
    "DW-491",
    "The app cannot be registered like this",
    "One of the values is not possible for such an app.",
    "Correct the value that is named.",
)
CLIENT_MAKERS = Fault(
    "DW-492",
    "You cannot register apps here",
    "Registering apps takes the permission clients:manage, or clients:register for an app of your own.",
    "Ask an administrator of the tenant.",
)
CLIENT_BEYOND = Fault(
    "DW-493",
    "The app would reach further than you",
    "An app that acts by itself may do nothing that whoever sees its secret may not do.",
    "Leave the permission out, or ask somebody who has it.",
)
CLIENT_ENDED = Fault(
    "DW-494",
    "The app was deleted",
    "A deleted app never comes back.",
    "Register it anew.",
)
CLIENT_MANY = Fault(
    "DW-495",
    "There are too many apps",
    "The tenant, or you, have as many registered apps as there may be.",
    "Delete one that nobody uses.",
)
CLIENT_SENT_ALREADY = Fault(
    "DW-496",
    "This form was sent already",
    "A form makes one app or one secret, however often it is sent.",
    "Look at the list of apps. What was made is there; its secret was shown once.",
)
