"""Nothing that a request does forgets which request it was and where that came from (F2)."""

import ast
from collections import Counter
from collections.abc import Iterator

import pytest

from support.tree import modules

pytestmark = pytest.mark.requirement("F2")
BESIDE = ("src/doorward/cli/", "src/doorward/demo/")
"""Commands at the machine, which no request causes."""
NO_REQUEST = {
    "src/doorward/accounts/domains.py": "a chore: a proof lapses",
    "src/doorward/accounts/email_change.py": "only counted",
    "src/doorward/accounts/invitations.py": "only counted, only looked at",
    "src/doorward/authserver/client_settings.py": "a command at the machine",
    "src/doorward/authserver/routes.py": "what each request of the token endpoint fills in",
    "src/doorward/credentials/key_rotation.py": "a chore, or a command at the machine",
    "src/doorward/credentials/trust_rules.py": "a command at the machine",
    "src/doorward/credentials/upstream_secrets.py": "a command at the machine",
    "src/doorward/dashboard/invitations.py": "only looked at",
    "src/doorward/dashboard/server_page.py": "only looked at",
    "src/doorward/dashboard/tenant_desk.py": "only looked at",
    "src/doorward/gateway/upstream_oauth/grants.py": "for all calls that wait for one renewal",
    "src/doorward/mail/sending.py": "a chore: a mail is given up",
    "src/doorward/provisioning/apply.py": "a command at the machine",
    "src/doorward/provisioning/plan_tree.py": "a command at the machine",
    "src/doorward/provisioning/plan_users.py": "a command at the machine",
    "src/doorward/provisioning/sightings.py": "what a server says by itself",
    "src/doorward/provisioning/tools.py": "what a server says by itself, or a command at the machine",
}
"""Modules that say that there is no request. Another one has to be looked at: a page may call it."""


def with_defaults(tree: ast.AST) -> Iterator[int]:
    """Yield the lines on which a cause need not be given."""
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign) and node.value is not None and ast.unparse(node.target) == "cause":
            yield node.lineno
        elif isinstance(node, ast.arguments):
            plain = [*node.posonlyargs, *node.args]
            pairs = [
                *zip(reversed(plain), reversed(node.defaults), strict=False),
                *zip(node.kwonlyargs, node.kw_defaults, strict=True),
            ]
            yield from (
                arg.lineno for arg, value in pairs
                if arg.arg == "cause" and value is not None and "Cause" in ast.unparse(arg.annotation or value)
            )  # fmt: skip


def none_given(tree: ast.AST) -> int:
    """Return how often it is said that there is no cause."""
    given = (word for node in ast.walk(tree) if isinstance(node, ast.Call) for word in node.keywords)
    return sum(word.arg == "cause" and ast.unparse(word.value) == "None" for word in given)


def test_M9_a_cause_has_no_default_so_that_nobody_can_forget_it() -> None:
    assert [f"{path}:{line}" for path, tree in modules() for line in with_defaults(tree)] == []


def test_M9_who_says_that_no_request_is_the_cause_is_known_for_it() -> None:
    found = Counter({path: none_given(tree) for path, tree in modules() if not path.startswith(BESIDE)})
    assert {path for path, count in found.items() if count} == set(NO_REQUEST)


def test_a_default_would_be_seen() -> None:
    for bad in (
        "def f(*, cause: Cause | None = None): ...",
        "def f(cause: Cause = X): ...",
        "class A:\n cause: Cause | None = None",
    ):
        assert list(with_defaults(ast.parse(bad)))
    assert none_given(ast.parse("audit.record(tx, cause=None)")) == 1
