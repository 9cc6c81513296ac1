"""Rules by which scanners find our secrets where they should not be: gitleaks and TruffleHog (C3; security I1)."""

from typing import Final

from doorward.credentials.secret import CHECKSUM_LENGTH, KEY_ID_LENGTH, SECRET_LENGTH, SecretKind

_KEY: Final = KEY_ID_LENGTH + SECRET_LENGTH + CHECKSUM_LENGTH
_OTHER: Final = SECRET_LENGTH + CHECKSUM_LENGTH
_OTHERS: Final = tuple(
    sorted(
        kind.value
        for kind in (SecretKind.REFRESH_TOKEN, SecretKind.CLIENT_SECRET, SecretKind.REGISTRATION, SecretKind.SESSION)
    )
)
"""Kinds that are good for days or longer."""


def key_pattern(prefix: str) -> str:
    """Return the regular expression of an API key (RE2)."""
    return rf"\b{prefix}_[0-9A-Za-z]{{{_KEY}}}\b"


def token_pattern() -> str:
    """Return the regular expression of the other secrets that are good for long."""
    return rf"\b(?:{'|'.join(_OTHERS)})_[0-9A-Za-z]{{{_OTHER}}}\b"


def gitleaks(prefix: str) -> str:
    """Return rules for gitleaks: a file that ``[extend] path`` names."""
    return f"""# Secrets of Doorward, for gitleaks. Written by `doorward token scan-rules --format gitleaks`.

[[rules]]
id = "doorward-api-key"
description = "API key of Doorward: it opens MCP servers until somebody revokes it"
regex = '''{key_pattern(prefix)}'''
entropy = 3.5
keywords = ["{prefix}_"]

[[rules]]
id = "doorward-token"
description = "Refresh token, client secret, registration token or session of Doorward"
regex = '''{token_pattern()}'''
entropy = 3.5
keywords = [{", ".join(f'"{kind}_"' for kind in _OTHERS)}]
"""


def trufflehog(prefix: str) -> str:
    """Return detectors for TruffleHog: a file for ``--config``."""
    return f"""# Secrets of Doorward, for TruffleHog. Written by `doorward token scan-rules --format trufflehog`.
detectors:
  - name: doorward-api-key
    keywords: ["{prefix}_"]
    regex:
      key: '{key_pattern(prefix)}'
  - name: doorward-token
    keywords: [{", ".join(f'"{kind}_"' for kind in _OTHERS)}]
    regex:
      token: '{token_pattern()}'
"""
