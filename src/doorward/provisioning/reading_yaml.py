"""YAML as strictly as JSON: no key twice, and no anchors and merges (a small file could stand for a huge one)."""

from typing import Any

import yaml

from doorward.provisioning.reading import Place, check_size, refuse


def read_yaml(text: str) -> Place:
    """Return the root of a YAML document. Raises ``DocumentError``."""
    check_size(text)
    try:
        return Place("", _plain(text))
    except yaml.MarkedYAMLError as wrong:
        mark = wrong.problem_mark
        refuse(f"line {mark.line + 1}" if mark else "", f"not YAML ({wrong.problem})", "Mend this line")
    except (yaml.YAMLError, ValueError, RecursionError) as wrong:
        refuse("", f"not YAML ({type(wrong).__name__})", "Check the file")


def _plain(text: str) -> Any:
    """Return YAML's plain data. Nothing may stand for something else, and each key is there once."""
    loader = yaml.SafeLoader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return None
        _check_node(root, set())
        return loader.construct_document(root)
    finally:
        loader.dispose()


def _check_node(node: yaml.Node, seen: set[int]) -> None:
    if id(node) in seen:
        raise yaml.MarkedYAMLError(problem="anchors and aliases are not used here", problem_mark=node.start_mark)
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _check_node(item, seen)
    elif isinstance(node, yaml.MappingNode):
        _check_keys([key for key, _ in node.value])
        for _, value in node.value:
            _check_node(value, seen)


def _check_keys(keys: list[yaml.Node]) -> None:
    names: set[str] = set()
    for key in keys:
        if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
            raise yaml.MarkedYAMLError(problem="a key is not a plain text", problem_mark=key.start_mark)
        if key.value in names:
            raise yaml.MarkedYAMLError(problem=f"key {key.value[:80]!r} is repeated", problem_mark=key.start_mark)
        names.add(key.value)
