"""The way back to an app on another machine: the person carries the address there (feature B16).

A browser on a laptop cannot reach the loopback port of a program on a server. Approving then shows the address instead
of going there, and the person pastes it into the program, or opens it on that machine. Whoever is sent such an address
can use it only if they began the request (PKCE); so the pages warn of giving it to anybody.
"""

from dataclasses import replace
from shlex import quote
from typing import Any, Final

from doorward.authserver.approval import ConsentRules
from doorward.authserver.envelope import Pending
from doorward.protocol import redirect_uri

ANSWER: Final = "show_url"
"""What the second button of the consent page sends."""
CODE_SECONDS: Final = 300
"""A person needs longer than a redirect does; at most ten minutes (B1)."""


def is_possible(pending: Pending) -> bool:
    """Say whether the answer goes to a loopback address: everywhere else the browser gets there by itself."""
    return pending.device is None and redirect_uri.describe(pending.request.redirect_uri).is_loopback


def longer(rules: ConsentRules) -> ConsentRules:
    """Return the rules for a code that a person carries."""
    return replace(rules, code_ttl=max(rules.code_ttl, CODE_SECONDS))


def context(location: str, client_name: str) -> dict[str, Any]:
    """Return the template's context."""
    return {
        "address": location,
        "command": f"curl {quote(location)}",
        "client_name": client_name,
        "minutes": CODE_SECONDS // 60,
    }
