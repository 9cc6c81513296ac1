"""What holds for approvals in this deployment."""

from doorward.bootstrap.core import Core
from doorward.gateway.approvals.asking import Terms


def approval_terms(core: Core) -> Terms:
    """Return the terms, from the settings."""
    said = core.settings.approvals
    return Terms(sealer=core.sealer, entropy=core.entropy, seconds=said.ttl, most=said.waiting)
