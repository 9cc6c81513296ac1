"""Random small worlds: a catalogue, a tree with foreign and broken parts, a principal and a question."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random

from doorward.model import (
    Approvers,
    ClientId,
    CredentialKind,
    Effect,
    Instant,
    Override,
    Permission,
    Principal,
    Resource,
    ResourceId,
    RuleKind,
    ServerId,
    TenantId,
    UserId,
)
from doorward.policy.decide import Everywhere, NoTarget, Question, Target, Unresolvable
from doorward.policy.permission import expand
from doorward.policy.rules import ResourceTree

CATALOGUE = tuple(
    Permission(f"{noun}:{verb}") for noun in ("documents", "tasks") for verb in ("read", "write", "delete")
)
PATTERNS = ("*:*", "*:read", "*:write", "documents:*", "tasks:*", *CATALOGUE)
NODES = tuple(ResourceId(f"node{number}") for number in range(6))
SERVERS = (ServerId("one"), ServerId("two"))
NOW = Instant(1_000)
TENANT = TenantId("tenant")


@dataclass(frozen=True)
class World:
    """One case."""

    patterns: tuple[str, ...]
    placed: Mapping[ResourceId, tuple[str, ...]]
    principal: Principal
    question: Question
    resources: tuple[Resource, ...]

    @property
    def tree(self) -> ResourceTree:
        return ResourceTree(self.resources)

    def asking(self, **changes: object) -> "World":
        return replace(self, question=replace(self.question, **changes))  # type: ignore[arg-type]

    def being(self, **changes: object) -> "World":
        return replace(self, principal=replace(self.principal, **changes))  # type: ignore[arg-type]


def random_world(chance: Random) -> World:
    """Return a case in which every refusal, and no refusal, is likely enough to be met often."""
    patterns = tuple(chance.sample(PATTERNS, chance.randint(0, 3)))
    resources = tuple(
        Resource(id=node, tenant_id=TENANT, type="project", key=node, name=node, parent_id=_parent(chance, node))
        for node in chance.sample(NODES, chance.randint(3, len(NODES)))
    )
    placed = {node: tuple(chance.sample(PATTERNS, chance.randint(1, 2))) for node in _some(chance, NODES, 0.25)}
    return World(patterns, placed, _principal(chance, patterns, placed), _question(chance), resources)


def _parent(chance: Random, node: ResourceId) -> ResourceId | None:
    # Any node may be the parent, also itself, one below it and one that is not there: rows could say so.
    return None if chance.random() < 0.3 else chance.choice(NODES)


def _principal(chance: Random, patterns: tuple[str, ...], placed: Mapping[ResourceId, tuple[str, ...]]) -> Principal:
    api_key = chance.random() < 0.3
    return Principal(
        user_id=UserId("user"),
        user_email="user@acme.example",
        user_name="User",
        tenant_id=TENANT,
        tenant_slug="acme",
        tenant_name="Acme",
        permissions=expand(patterns, CATALOGUE),
        credential=CredentialKind.API_KEY if api_key else CredentialKind.ACCESS_TOKEN,
        credential_id="credential",
        credential_name="Credential",
        client_id=None if api_key else ClientId("client"),
        scopes=_some(chance, CATALOGUE, 0.7),
        declined=_some(chance, CATALOGUE, 0.3),
        can_step_up=not api_key,
        resources=None if chance.random() < 0.4 else _some(chance, NODES, 0.3),
        servers=_some(chance, SERVERS, 0.9),
        expires_at=chance.choice(
            (None, None, Instant(NOW - 1), NOW, Instant(NOW + 1), Instant(NOW + 1), Instant(NOW + 9))
        ),
        placed=tuple((node, expand(given, CATALOGUE)) for node, given in placed.items()),
        overrides=tuple(random_override(chance) for _ in range(chance.choice((0, 0, 1, 2)))),
    )


def random_override(chance: Random) -> Override:
    """Return one that is often about what is asked."""
    # Denials and more permissions more often: who has to approve matters only for what is allowed.
    effect = chance.choice((*Effect, Effect.DENY, Effect.REQUIRE))
    more = frozenset(chance.sample(CATALOGUE, 1)) if effect is Effect.REQUIRE else frozenset[Permission]()
    return Override(
        id="override",
        tenant_id=TENANT,
        server_id=chance.choice(SERVERS),
        kind=chance.choice((RuleKind.TOOL, RuleKind.PROMPT)),
        match=chance.choice(("*", "get_*", "g?t_document", "get_documen", "*_tasks", "put_*")),
        effect=effect,
        requires=more,
        approval=random_approvers(chance) if effect is Effect.APPROVAL else None,
    )


def random_approvers(chance: Random) -> Approvers:
    """Return who has to approve: the caller's own person, or whoever has a permission or two."""
    named = frozenset(chance.sample(CATALOGUE, chance.choice((0, 1, 1, 2))))
    return Approvers(permissions=named, by_another=chance.random() < 0.3)


def _question(chance: Random) -> Question:
    pairs = (Target(frozenset(chance.sample(NODES, 2))) for _ in range(3))
    targets = (NoTarget(), Everywhere(), Unresolvable(), *(Target(frozenset({node})) for node in NODES), *pairs)
    return Question(
        server_id=SERVERS[0],
        kind=RuleKind.TOOL,
        name=chance.choice(("get_document", "get_tasks", "put_tasks")),
        requires=frozenset(chance.sample(CATALOGUE, chance.choice((0, 1, 1, 1, 1, 2, 2, 3)))),
        rule="rule",
        target=chance.choice(targets),
        approval=random_approvers(chance) if chance.random() < 0.2 else None,
        open=chance.random() < 0.1,
    )


def _some(chance: Random, values: tuple, share: float) -> frozenset:  # type: ignore[type-arg]
    return frozenset(value for value in values if chance.random() < share)
