"""The nodes that a document adds to a tenant's resource tree; nodes that it does not name stay."""

from functools import partial
from typing import Final

from doorward.model import Resource
from doorward.provisioning.change import Change, Writing
from doorward.provisioning.document import TenantDeclared
from doorward.provisioning.plan_tenants import tenant_of
from doorward.provisioning.reading import refuse
from doorward.provisioning.resource_tree import NodeName, Pusher, TreeNode, TreeRefused, change_tree
from doorward.storage import accounts, permissions
from doorward.storage.database import Reader

_SHOWN: Final = 5


def plan_tree(reader: Reader, declared: TenantDeclared) -> list[Change]:
    """Return one change for all nodes that are new or other than the stored ones."""
    tenant = accounts.tenant_by_slug(reader, declared.slug)
    stored = {} if tenant is None else _stored(permissions.resources_of_tenant(reader, tenant.id))
    wanted = [node for node in declared.resources if stored.get(node.name) != node]
    if not wanted:
        return []
    _check_parents(declared, stored)
    shown = ", ".join(" ".join(node.name) for node in wanted[:_SHOWN]) + (", …" if len(wanted) > _SHOWN else "")
    return [
        Change(
            text=f"tenant {declared.slug}: put {len(wanted)} resource{'s' if len(wanted) > 1 else ''}: {shown}",
            event=None,
            subject=declared.slug,
            tenant=declared.slug,
            run=partial(_put, declared=declared, nodes=wanted),
        )
    ]


def _stored(resources: list[Resource]) -> dict[NodeName, TreeNode]:
    names = {node.id: (node.type, node.key) for node in resources}
    return {
        (node.type, node.key): TreeNode(
            name=(node.type, node.key), title=node.name, parent=names[node.parent_id] if node.parent_id else None
        )
        for node in resources
    }


def _check_parents(declared: TenantDeclared, stored: dict[NodeName, TreeNode]) -> None:
    """Refuse a missing parent and a cycle already in the plan, so that a dry run says what the run would say."""
    nodes = stored | {node.name: node for node in declared.resources}
    for node in declared.resources:
        above, step = {node.name}, node.parent
        while step is not None:
            if step not in nodes or step in above:
                cause = f"the parent {' '.join(step)} does not exist" if step not in nodes else "its own ancestor"
                refuse(f"{declared.path}.resources", f"{' '.join(node.name)}: {cause}", "Mend its parent")
            above.add(step)
            step = nodes[step].parent


def _put(writing: Writing, declared: TenantDeclared, nodes: list[TreeNode]) -> None:
    tenant = tenant_of(writing, declared.slug)
    pusher = Pusher(
        tenant_id=tenant.id, actor_id=None, credential_id="apply", now=writing.now, product=False, cause=None
    )
    try:
        change_tree(writing.tx, nodes, (), pusher)
    except TreeRefused as wrong:
        refuse(f"{declared.path}.resources", wrong.public.rstrip("."), "Mend the entry")
