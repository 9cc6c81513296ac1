"""The requirements manifest and the tests agree, both ways.

``product.yaml``, ``spec.yaml``, ``security.yaml``, ``pains.yaml``, ``clients.yaml``, ``wire.yaml`` and ``seeds.yaml`` hold what Doorward
promises: an id, where the promise comes from, what it says, and either the tests that show it, the gap with its reason, or why it is
excluded (of the seeds: mostly by decision 0077). A test may also name an id itself:
``@pytest.mark.requirement("A1", "spec/R10")``, or a security case in its name (``test_J3_…`` is ``security/J3``).
A bare id means the product's in a mark and the security catalogue's in a name, unless only the other has it.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import yaml

from support.tree import ROOT, dotted, functions, modules, text

FOLDER = ROOT / "tests" / "requirements"
SECURITY_CASES = re.compile(r"(?<=_)([A-Na-n]\d{1,2})(?=_)")


@cache
def manifest() -> dict[str, Mapping[str, Any]]:
    """Return every promise, by its full id."""
    found: dict[str, Mapping[str, Any]] = {}
    for kind in ("product", "spec", "security", "pains", "clients", "wire", "seeds"):
        for entry in yaml.safe_load(text(FOLDER / f"{kind}.yaml")):
            full = f"{kind}/{entry['id']}"
            assert full not in found, f"{full} stands twice"
            found[full] = entry
    return found


@cache
def known() -> frozenset[str]:
    """Return ``file::name`` of every test, as the manifest names them."""
    return frozenset(f"{path}::{function.name}" for path, function in _tests())


@cache
def named() -> dict[str, frozenset[str]]:
    """Return the tests that name an id themselves, by full id."""
    found: dict[str, set[str]] = defaultdict(set)
    for path, function in _tests():
        ids = {
            _full(case.upper(), "security", "product")
            for case in SECURITY_CASES.findall(function.name.replace("_", "__"))
        }
        for mark in function.decorator_list:
            if isinstance(mark, ast.Call) and dotted(mark.func) == "pytest.mark.requirement":
                marks = [str(ast.literal_eval(argument)) for argument in mark.args]
                ids |= {_full(bare, "product", "security") for bare in marks}
        for full in ids:
            found[full].add(f"{path}::{function.name}")
    return {full: frozenset(names) for full, names in found.items()}


def _tests() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for path, tree in modules(ROOT / "tests"):
        for function in functions(tree):
            if function.name.startswith("test_"):
                yield path, function


def _full(bare: str, first: str, second: str) -> str:
    if "/" in bare:
        return bare
    return f"{second}/{bare}" if f"{first}/{bare}" not in manifest() else f"{first}/{bare}"


def shown_by(full: str) -> set[str]:
    return {*manifest()[full].get("tests", ()), *named().get(full, ())}


def reason(entry: Mapping[str, Any]) -> Any:
    return entry.get("gap") or entry.get("excluded")


def test_every_promise_has_a_test_or_is_a_gap_with_a_reason() -> None:
    assert not [full for full, entry in manifest().items() if not shown_by(full) and not reason(entry)]


def test_a_gap_that_has_been_closed_is_no_longer_called_one() -> None:
    assert not [full for full, entry in manifest().items() if reason(entry) and shown_by(full)]


def test_every_id_that_a_test_names_is_in_the_manifest() -> None:
    assert not named().keys() - manifest().keys()


def test_every_test_that_the_manifest_names_exists() -> None:
    listed = {name for entry in manifest().values() for name in entry.get("tests", ())}
    assert not listed - known()


def test_every_promise_says_what_and_where_it_comes_from() -> None:
    for full, entry in manifest().items():
        assert entry.keys() <= {"id", "says", "source", "tests", "gap", "excluded"}, full
        assert entry["says"], full
        assert entry["source"], full
