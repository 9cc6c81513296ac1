"""``@requires``: what a tool needs, written at the tool, checked when it is called and read by ``tools/list``."""

import functools
import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

from doorward.sdk.caller import Caller, Node, current_caller
from doorward.sdk.errors import NoSuchResourceError

Tool = TypeVar("Tool", bound=Callable[..., Any])
Path = Iterable[Node] | None
Ancestors = Callable[[Caller, str, str], Path | Awaitable[Path]]
"""``(caller, type, key)`` → the node's ancestors in the caller's tenant, the node itself may be among them; None where the
tenant has no such node. Asked about every caller, also one that may touch the whole tenant: of that one alone."""
_MARK: Final = "__doorward_requires__"


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """What a call needs: all ``permissions`` and, where ``resource`` names (type, argument), the node in that argument."""

    permissions: frozenset[str]
    resource: tuple[str, str] | None
    ancestors: Ancestors | None


def requires(
    *permissions: str, resource: tuple[str, str] | None = None, ancestors: Ancestors | None = None
) -> Callable[[Tool], Tool]:
    """Let only callers with ``permissions`` run a tool; with none, every verified caller.

    ``resource=("folder", "folder_id")``: the argument ``folder_id`` holds the key of a folder (or a list of keys) that the
    caller must be allowed to touch. Without ``ancestors`` only the roots of the caller themselves are known, so that a
    caller limited to a project cannot reach a folder in it: unknown means no. The decorator stands under the
    framework's own (``@server.tool()``). Raises ``TypeError`` for an argument that the tool does not have.
    """
    needed = Requirement(permissions=frozenset(permissions), resource=resource, ancestors=ancestors)

    def decorate(tool: Tool) -> Tool:
        wrapped = _waiting(tool, needed) if inspect.iscoroutinefunction(tool) else _plain(tool, needed)
        setattr(wrapped, _MARK, needed)
        return cast("Tool", wrapped)

    return decorate


def requirement_of(tool: object) -> Requirement | None:
    """Return what ``@requires`` wrote on a function, also below other decorators; None where it wrote nothing."""
    while tool is not None:
        found = getattr(tool, _MARK, None)
        if isinstance(found, Requirement):
            return found
        tool = getattr(tool, "__wrapped__", None)
    return None


def _waiting(tool: Callable[..., Any], needed: Requirement) -> Callable[..., Any]:
    keys_in = _reader_of_keys(tool, needed)

    @functools.wraps(tool)
    async def checked(*args: Any, **kwargs: Any) -> Any:
        caller = current_caller()
        caller.require(*needed.permissions)
        for kind, key in keys_in(caller, args, kwargs):
            path = None if needed.ancestors is None else needed.ancestors(caller, kind, key)
            _reach(caller, needed, (kind, key), await path if inspect.isawaitable(path) else path)
        return await tool(*args, **kwargs)

    return checked


def _plain(tool: Callable[..., Any], needed: Requirement) -> Callable[..., Any]:
    keys_in = _reader_of_keys(tool, needed)
    if inspect.iscoroutinefunction(needed.ancestors):
        raise TypeError(f"{tool.__name__} is not async, so its ancestors must not be")

    @functools.wraps(tool)
    def checked(*args: Any, **kwargs: Any) -> Any:
        caller = current_caller()
        caller.require(*needed.permissions)
        for kind, key in keys_in(caller, args, kwargs):
            path = None if needed.ancestors is None else needed.ancestors(caller, kind, key)
            _reach(caller, needed, (kind, key), cast("Path", path))
        return tool(*args, **kwargs)

    return checked


def _reader_of_keys(
    tool: Callable[..., Any], needed: Requirement
) -> Callable[[Caller, tuple[Any, ...], Mapping[str, Any]], list[Node]]:
    """Return what reads the nodes that a call names. It raises ``NoSuchResourceError`` for what cannot be read."""
    if needed.resource is None:
        return lambda _caller, _args, _kwargs: []
    kind, argument = needed.resource
    signature = inspect.signature(tool)
    if argument not in signature.parameters:
        raise TypeError(f"{tool.__name__} has no argument {argument!r}")

    def keys_in(caller: Caller, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Node]:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        value = bound.arguments[argument]
        if value is None and caller.roots is None:
            return []
        values = list(value) if isinstance(value, list | tuple | set | frozenset) else [value]
        if not all(isinstance(each, str) for each in values) or (not values and caller.roots is not None):
            raise NoSuchResourceError(kind, "")
        return [(kind, each) for each in values]

    return keys_in


def _reach(caller: Caller, needed: Requirement, node: Node, path: Path) -> None:
    unknown = needed.ancestors is not None and path is None
    if unknown or not caller.reaches({node, *(path or ())}):
        raise NoSuchResourceError(*node)
