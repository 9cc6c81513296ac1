"""Proofs of mail domains: the machine's own name servers are asked."""

from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path

from doorward.accounts.domains import DomainProofs
from doorward.bootstrap.core import Core
from doorward.web.dns_lookup import TextLookup

RESOLVER_FILE = Path("/etc/resolv.conf")
PORT = 53


def name_servers(path: Path = RESOLVER_FILE) -> Sequence[tuple[str, int]]:
    """Return the name servers of this machine, in its order; none where it does not say."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    words = [line.split() for line in lines]
    return [(line[1], PORT) for line in words if len(line) > 1 and line[0] == "nameserver" and _is_address(line[1])]


def domain_proofs(core: Core) -> DomainProofs:
    """Return what looks for the records of mail domains."""
    return DomainProofs(database=core.database, lookup=text_lookup(core), now=core.now)


def text_lookup(core: Core) -> TextLookup:
    """Return what asks this machine's name servers."""
    return TextLookup(servers=name_servers, entropy=core.entropy)


def _is_address(text: str) -> bool:
    try:
        ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return True
