"""What a key would be able to do, told while it is being chosen: the same use case and decider as for the real one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from doorward.credentials.key_makers import KeyRefused
from doorward.credentials.key_wishes import meant
from doorward.credentials.principals import Unauthenticated, principal_of_person
from doorward.dashboard.key_form import Choices, KeyForm, wish_of
from doorward.gateway.preview import SeenTool, tools_seen
from doorward.model import CredentialKind, Instant
from doorward.policy.rules import ResourceTree
from doorward.storage import permissions
from doorward.storage.database import Reader

MOST_TOOLS: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """``can`` and ``cannot`` are words of permissions; ``error`` says why there is nothing to tell yet."""

    can: Sequence[str] = ()
    cannot: Sequence[str] = ()
    places: Sequence[str] | None = None
    """None: everywhere that its owner reaches."""
    tools: Sequence[SeenTool] = ()
    more: int = 0
    """Tools beyond those that are named."""
    error: str = ""


def preview(reader: Reader, offered: Choices, form: KeyForm, now: Instant) -> Preview:
    """Return what the key of this form could do now."""
    if offered.tenant is None or offered.maker is None:
        return Preview()
    try:
        key = meant(reader, wish_of(form), offered.tenant, offered.maker)
        person = principal_of_person(reader, key.owner.id, offered.tenant.id)
    except KeyRefused as refused:
        return Preview(error=refused.public)
    except Unauthenticated:
        return Preview(error="This user cannot have keys here.")
    scopes = key.scopes or frozenset()
    servers = person.servers if key.servers is None else person.servers & key.servers
    principal = replace(
        person, credential=CredentialKind.API_KEY, scopes=scopes, resources=key.resources, servers=servers
    )
    tools = tools_seen(reader, principal, now)
    tree = ResourceTree(permissions.resources_of_tenant(reader, offered.tenant.id))
    nodes = None if key.resources is None else [tree.get(each) for each in key.resources]
    return Preview(
        can=[entry.words for entry in offered.entries if entry.permission in scopes],
        cannot=[entry.words for entry in offered.entries if entry.permission not in scopes],
        places=None if nodes is None else sorted(node.name for node in nodes if node is not None),
        tools=tools[:MOST_TOOLS],
        more=max(0, len(tools) - MOST_TOOLS),
    )
