"""How sets, lists and mappings are written into text columns, and read again."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from functools import lru_cache
from typing import Any

from doorward.model import Approvers, Permission, ResourceId


def columns(record: Any) -> dict[str, Any]:
    """Return the fields of a record by name, as they are."""
    return {field.name: getattr(record, field.name) for field in fields(record)}


def joined(words: Iterable[str]) -> str:
    """Write a set of permissions: sorted, with spaces between (the form of an OAuth ``scope``)."""
    return " ".join(sorted(words))


@lru_cache(maxsize=4096)
def permissions(text: str) -> frozenset[Permission]:
    """Read what ``joined`` wrote."""
    return frozenset(map(Permission, text.split()))


def listed(items: Sequence[str]) -> str:
    """Write a list of texts."""
    return json.dumps(list(items), separators=(",", ":"))


def texts(text: str) -> tuple[str, ...]:
    """Read what ``listed`` wrote."""
    return tuple(json.loads(text))


def narrowed(ids: frozenset[ResourceId] | None) -> str | None:
    """Write the subtrees something is narrowed to; None, the whole tenant, stays None and is never an empty list."""
    return None if ids is None else listed(sorted(ids))


def subtrees(text: str | None) -> frozenset[ResourceId] | None:
    """Read what ``narrowed`` wrote."""
    return None if text is None else frozenset(map(ResourceId, json.loads(text)))


def mapped(items: Mapping[str, object]) -> str:
    """Write a mapping."""
    return json.dumps(dict(items), separators=(",", ":"))


def mapping(text: str) -> dict[str, Any]:
    """Read what ``mapped`` wrote."""
    found: dict[str, Any] = json.loads(text)
    return found


def key_list(keys: Iterable[Mapping[str, str]]) -> str:
    """Write public keys (RFC 7517)."""
    return json.dumps([dict(key) for key in keys], separators=(",", ":"))


def keys(text: str) -> tuple[Mapping[str, str], ...]:
    """Read what ``key_list`` wrote."""
    return tuple(json.loads(text))


def approvers(found: Approvers) -> str:
    """Write who has to approve; equal ones have equal texts."""
    return json.dumps([sorted(found.permissions), found.by_another], separators=(",", ":"))


def read_approvers(text: str) -> Approvers:
    """Read what ``approvers`` wrote."""
    permissions, by_another = json.loads(text)
    return Approvers(permissions=frozenset(map(Permission, permissions)), by_another=by_another)
