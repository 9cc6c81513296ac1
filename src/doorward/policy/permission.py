"""The grammar ``resource:action``, its wildcards and the built-in roles (``docs/permissions.md``; feature D1).

Wildcards stand in roles and key forms only. They are expanded against the deployment's catalogue before a credential
or a decision sees them, so that what is not in the catalogue is granted to nobody.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from doorward.model import Permission

_WORD: Final = r"[a-z][a-z0-9_-]{0,63}"
_PERMISSION: Final = re.compile(rf"{_WORD}:{_WORD}")
_PATTERN: Final = re.compile(rf"(?:\*|{_WORD}):(?:\*|{_WORD})")

BUILT_IN_ROLES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({
    "owner": ("*:*",),
    "admin": ("*:*",),
    "editor": ("*:read", "*:write"),
    "viewer": ("*:read",),
})  # fmt: skip
"""Every tenant has these four, by name, with the patterns they hold."""


def parse(text: str) -> Permission:
    """Return ``text`` as a permission. Raises ``ValueError`` where it is not ``resource:action`` (no wildcard)."""
    if not _PERMISSION.fullmatch(text):
        message = f"{text!r} is not a permission like documents:read"
        raise ValueError(message)
    return Permission(text)


def is_pattern_ok(text: str) -> bool:
    """Say whether ``text`` may stand in a role: a permission, or one whose resource, action or both are ``*``."""
    return _PATTERN.fullmatch(text) is not None


def expand(patterns: Iterable[str], catalogue: Iterable[Permission]) -> frozenset[Permission]:
    """Return the permissions of ``catalogue`` that one of ``patterns`` covers.

    A pattern that is not well formed, or names something outside the catalogue, covers nothing: unknown means no (D1).
    """
    return _expanded(frozenset(patterns), frozenset(catalogue))


@lru_cache(maxsize=1024)
def _expanded(patterns: frozenset[str], known: frozenset[Permission]) -> frozenset[Permission]:
    granted: set[Permission] = set()
    for pattern in patterns:
        if is_pattern_ok(pattern):
            granted.update(permission for permission in known if _covers(pattern, permission))
    return frozenset(granted)


def _covers(pattern: str, permission: Permission) -> bool:
    resource, _, action = pattern.partition(":")
    its_resource, _, its_action = permission.partition(":")
    return resource in ("*", its_resource) and action in ("*", its_action)
