"""Signing in through another system (DW-440 to DW-449)."""

from doorward.protocol.faults.fault import Fault

PROVIDER_UNKNOWN = Fault(
    "DW-440",
    "This way of signing in is not offered",
    "There is no sign-in provider of this name, or it is switched off.",
    "Go back to the sign-in page and choose another way.",
)
PROVIDER_STATE = Fault(
    "DW-441",
    "This sign-in was not started here",
    "It was started in another browser or too long ago, or its answer was used already.",
    "Start again from the sign-in page, in this browser.",
)
PROVIDER_DENIED = Fault(
    "DW-442",
    "The sign-in provider did not let you in",
    "The provider answered with a refusal, or you stopped there.",
    "Try again, or ask whoever runs the provider whether your account may use this service.",
)
PROVIDER_AWAY = Fault(
    "DW-443",
    "The sign-in provider cannot be reached",
    "The provider did not answer, or not in time.",
    "Wait a moment and try again. An administrator sees more with doorward provider check.",
)
PROVIDER_ANSWER = Fault(
    "DW-444",
    "The answer of the sign-in provider was not accepted",
    "What the provider sent does not prove who you are.",
    "Try again. If it happens every time, send the request id to your administrator.",
)
ACCOUNT_UNKNOWN = Fault(
    "DW-445",
    "This sign-in belongs to no account here",
    "Nobody here has connected this account of the provider, and it does not open an account by itself.",
    "Sign in as you did before and connect it under Profile, or ask your administrator for an invitation.",
)
IDENTITY_TAKEN = Fault(
    "DW-446",
    "This account is connected already",
    "The account of the provider is connected to an account here.",
    "Sign in with it, or choose another account at the provider.",
)
LAST_WAY_IN = Fault(
    "DW-448",
    "This is your only way to sign in",
    "Without it you could not sign in any more.",
    "Set a password or connect another account first.",
)
TENANT_ELSEWHERE = Fault(
    "DW-449",
    "Sign in another way to use this organisation",
    "The organisation does not take the way by which you signed in.",
    "Sign in again in a way that it takes, or ask its administrator.",
)
