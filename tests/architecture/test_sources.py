"""House rules that no general tool knows."""

import ast
import re

import pytest

from support.tree import ROOT, SOURCE, dotted, modules, text

CLOCK_AND_CHANCE = {
    "time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.datetime.now", "date.today",
    "os.urandom", "os.getrandom", "uuid.uuid4", "uuid.uuid1", "uuid4", "random.random", "secrets.token_bytes",
    "secrets.token_urlsafe", "secrets.token_hex",
}  # fmt: skip
MAY_READ_THE_CLOCK = {
    "src/doorward/bootstrap/core.py": "the composition root",
    "src/doorward/demo/harbour/__main__.py": "the composition root of the example server, a process of its own",
}
ENVIRONMENT = {"os.environ", "os.getenv"}
MAY_READ_THE_ENVIRONMENT = {
    "src/doorward/bootstrap",
    "src/doorward/settings",
    "src/doorward/cli",
    "src/doorward/demo",
}
RUNS_TEXT = {"eval", "exec", "compile", "os.system", "__import__"}
PURE = ("src/doorward/model/", "src/doorward/protocol/", "src/doorward/policy/", "src/doorward/gateway/access.py")


def calls(tree: ast.AST) -> set[str]:
    return {name for node in ast.walk(tree) if isinstance(node, ast.Call) and (name := dotted(node.func))}


def attributes(tree: ast.AST) -> set[str]:
    return {name for node in ast.walk(tree) if isinstance(node, ast.Attribute) and (name := dotted(node))}


def test_every_module_says_what_it_is() -> None:
    assert not [name for name, tree in modules() if not ast.get_docstring(tree) and "/versions/" not in name]


def test_a_package_init_is_a_docstring_and_exports_nothing() -> None:
    allowed = {
        "src/doorward/__init__.py",
        # One name for many small files of the same kind: nouns, texts, tables.
        "src/doorward/model/__init__.py",
        "src/doorward/protocol/mcp/__init__.py",
        "src/doorward/protocol/faults/__init__.py",
        "src/doorward/storage/schema/__init__.py",
        "src/doorward/settings/__init__.py",
    }
    more = {
        name
        for name, tree in modules()
        if name.endswith("__init__.py") and not (len(tree.body) == 1 and ast.get_docstring(tree))
    }
    assert more <= allowed


def test_every_folder_of_modules_is_a_package_that_says_what_it_owns() -> None:
    folders = {path.parent for path in SOURCE.rglob("*.py") if "migrations" not in path.parts}
    assert not [str(folder) for folder in folders if not (folder / "__init__.py").exists()]


def test_only_the_composition_root_reads_the_clock_or_draws_randomness() -> None:
    found = {name: calls(tree) & CLOCK_AND_CHANCE for name, tree in modules()}
    assert not {name: got for name, got in found.items() if got and name not in MAY_READ_THE_CLOCK}


def test_only_settings_and_the_composition_root_read_the_environment() -> None:
    found = {name for name, tree in modules() if attributes(tree) & ENVIRONMENT}
    assert not {name for name in found if not name.startswith(tuple(MAY_READ_THE_ENVIRONMENT))}


def test_no_text_is_run_as_code() -> None:
    assert not {name: got for name, tree in modules() if (got := calls(tree) & RUNS_TEXT)}


def test_what_decides_is_never_async() -> None:
    asynchronous = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    assert not [
        name
        for name, tree in modules()
        if name.startswith(PURE) and any(isinstance(node, asynchronous) for node in ast.walk(tree))
    ]


def test_secrets_are_compared_in_one_place() -> None:
    comparing = {name for name, tree in modules() if any(call.endswith("compare_digest") for call in calls(tree))}
    allowed = {
        "src/doorward/credentials/secret.py",
        "src/doorward/protocol/pkce.py",  # a challenge is no secret of ours: pure, and constant in time all the same
        "src/doorward/gateway/sessions.py",  # the tag of a wrapped session id, which is kept nowhere
        "src/doorward/vault.py",
    }
    assert comparing <= allowed


@pytest.mark.parametrize("folder", ["src", "tests"])
def test_every_exemption_from_a_check_names_the_rule(folder: str) -> None:
    blanket = re.compile(r"# *(noqa|type: *ignore)(?! *[:\[])", re.IGNORECASE)
    found = [name for name, _ in modules(ROOT / folder) if blanket.search(text(ROOT / name))]
    assert set(found) <= {"tests/architecture/test_sources.py"}


SLEEPS = {"time.sleep", "asyncio.sleep", "anyio.sleep", "sleep"}
POLL_SECONDS = 0.05
"""A loop that waits for what another process or thread does may look this often; a test never waits by the clock."""


def sleeps(tree: ast.AST) -> bool:
    """Tell whether a module waits for more than a turn of the loop or a look in a poll."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and dotted(node.func) in SLEEPS:
            waits = node.args[0] if node.args else None
            if not (isinstance(waits, ast.Constant) and waits.value <= POLL_SECONDS):
                return True
    return False


def test_no_test_sleeps() -> None:
    simulated = {
        "tests/support/everything_server.py": "a tool that takes its time, as the conformance suite asks",
        "tests/support/tasks_extension.py": "a task that takes its time, as the conformance suite asks",
        "tests/gateway/stdio_server.py": "a tool that takes its time, so that a call can be left and limited",
        "tests/gateway/test_revocation.py": "calls and changes that meet at random moments, from a seed",
        "tests/support/https_server.py": "a server that sends byte by byte",
    }
    assert {name for name, tree in modules(ROOT / "tests") if sleeps(tree)} <= simulated.keys()
