"""Which of a caller's overrides are about a thing (feature D4). They take away, and never give."""

from collections.abc import Iterable

from doorward.model import Override, RuleKind, ServerId
from doorward.policy.matching import glob_fits, plain_uri, template_variables


def about(overrides: Iterable[Override], server_id: ServerId, kind: RuleKind, name: str) -> tuple[Override, ...]:
    """Return the overrides that hold for ``name`` (a tool's or prompt's name, a resource's URI) at ``server_id``."""
    return tuple(
        each
        for each in overrides
        if each.server_id == server_id and each.kind is kind and _fits(each.match, kind, name)
    )


def _fits(match: str, kind: RuleKind, name: str) -> bool:
    if kind is RuleKind.RESOURCE:
        # A spelling that an upstream may read otherwise must not slip past a denial (I8): it counts as meant.
        return template_variables(match, name) is not None or not plain_uri(name)
    return glob_fits(match, name)
