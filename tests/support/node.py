"""Node 22 and the npm packages of the tests, as ``make test`` installs them."""

from pathlib import Path

NODE_PROJECT = Path(__file__).resolve().parent.parent / "clients"


def node() -> str:
    """Return the Node that came with the test packages (the conformance suite needs 22 or later)."""
    path = NODE_PROJECT / "node_modules" / "node" / "bin" / "node"
    assert path.exists(), "Node is not installed: run `make test`, or `npm ci` in tests/clients"
    return str(path)
