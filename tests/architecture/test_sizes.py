"""Sizes ask a question: a long file or function needs a defence, and a defence that is no longer needed goes.

A function's size does not count the functions inside it: registering ten tools is ten functions, not a long one.
Migrations are history and are not counted.
"""

import ast
import importlib.util
from types import ModuleType

from support.tree import ROOT, functions, modules, text

FILE_LINES = 400
FUNCTION_LINES = 50


def _defended() -> ModuleType:
    spec = importlib.util.spec_from_file_location("sizes", ROOT / "tests" / "architecture" / "sizes.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def long_files() -> dict[str, int]:
    lengths = {name: text(ROOT / name).count("\n") for name, _ in modules() if "/versions/" not in name}
    return {name: lines for name, lines in lengths.items() if lines > FILE_LINES}


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def long_functions() -> dict[str, int]:
    found = {}
    for name, tree in modules():
        for function in functions(tree) if "/versions/" not in name else ():
            own = length(function) - sum(length(inner) for inner in functions(function) if inner is not function)
            if own > FUNCTION_LINES:
                found[f"{name}:{function.name}"] = own
    return found


def test_every_long_file_is_defended() -> None:
    assert long_files().keys() == _defended().FILES.keys(), long_files()


def test_every_long_function_is_defended() -> None:
    assert long_functions().keys() == _defended().FUNCTIONS.keys(), long_functions()
