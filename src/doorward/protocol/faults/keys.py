"""API keys (DW-420 to DW-429)."""

from doorward.protocol.faults.fault import Fault

KEY_MAKERS = Fault(
    "DW-420",
    "Keys are made by others here",
    "In this tenant keys are made by administrators, or by members with the permission keys:create.",
    "Ask an administrator of the tenant for a key.",
)
KEY_TOO_LONG = Fault(
    "DW-421",
    "The key would live too long",
    "The tenant says how long a key may live at most, and who may make one that does not end.",
    "Choose an earlier end, or ask an administrator of the tenant.",
)
KEY_BEYOND = Fault(
    "DW-422",
    "A key never reaches further than its owner and its maker",
    "The key would hold something that its owner, or whoever makes it, does not have.",
    "Choose less, or ask an administrator of the tenant for a role that covers it.",
)
KEY_WISH = Fault(
    "DW-423",
    "A key cannot be like this",
    "A name, an end, an address, a server, a resource or an owner is not as it has to be.",
    "Mend what is named and send it again.",
)
KEY_MANAGERS = Fault(
    "DW-424",
    "This is for administrators of keys",
    "Keys of others are made and ended by those who hold the permission keys:manage in the tenant.",
    "Ask an administrator of the tenant.",
)
KEY_ENDED = Fault(
    "DW-425",
    "This key has ended or is disabled",
    "What has ended never comes back, and a disabled key gets no new secret.",
    "Create a new key, or enable the disabled one first.",
)
KEY_CHANGED = Fault(
    "DW-426",
    "Somebody changed this key at the same moment",
    "The key is not as it was when the change began.",
    "Look at the key again and repeat the change if it is still wanted.",
)
KEY_HELD = Fault(
    "DW-427",
    "An administrator disabled this key",
    "A key that an administrator disabled is enabled by an administrator.",
    "Ask an administrator of the tenant.",
)
LEAK_UNSIGNED = Fault(
    "DW-428",
    "The report is not signed",
    "The signature of the report is missing, is wrong, or is too old.",
    "Sign time and body with the shared secret, and set the clock.",
)
LEAK_REPORT = Fault(
    "DW-429",
    "This is no report of leaked keys",
    "The body is not a JSON object with the member keys, a list of texts.",
    "Send the whole keys as they were found, 100 in one report at most.",
)
