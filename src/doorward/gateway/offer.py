"""What an upstream offers, and which rule governs each thing. Pure.

Only what is offered can be called: a name that is not here does not exist (K10), so the upstream is never asked about
it. Rules are looked up once for each name and kept with the offer.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from doorward.gateway.param_headers import ParamHeaders, declared
from doorward.model import RuleKind, Server, ToolRule, ToolState
from doorward.policy.matching import tool_name_ok
from doorward.policy.rules import find_rule, rule_for
from doorward.policy.vetting import standing

_EXPRESSION: Final = re.compile(r"\{([+#./;?&]?)([^{}]*)\}")
_SAID: Final = ("title", "description", "inputSchema", "outputSchema", "annotations")
_PATH_VALUES: Final = frozenset("+#/")
MAX_DESCRIPTION: Final = 2_000
"""Characters."""


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool, as far as it matters here."""

    annotations: Mapping[str, Any]
    param_headers: ParamHeaders = ()
    digest: str = ""
    """Of all that its author says of it: another one is another version (K27)."""
    description: str = ""
    """For whoever has to approve a call; cut."""
    said: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """All that its author says of it: the digest is made of this."""

    @property
    def repeatable(self) -> bool:
        """Whether its author says that a second call does no harm."""
        return self.annotations.get("readOnlyHint") is True or self.annotations.get("idempotentHint") is True


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """Names and URIs exactly as the upstream lists them."""

    tools: Mapping[str, Tool] = field(default_factory=dict)
    prompts: frozenset[str] = frozenset()
    resources: frozenset[str] = frozenset()
    templates: frozenset[str] = frozenset()


Governing = tuple[ToolRule, Mapping[str, str]]
"""A rule, and the variables that its URI template took."""


class Governed:
    """A server with its rules, joined with an offer. Answers None for what is not offered."""

    def __init__(self, server: Server, offer: Offer, account: str = "") -> None:
        self.server = server
        self.offer = offer
        self.account = account
        """Whose offer it is, where the server knows people by their own accounts: nobody else is shown it."""
        self.own: tuple[str, ...] | None = None
        """What ``own_tools.own_names`` returns, once it was asked."""
        self._tools: dict[str, ToolRule] = {}
        self._prompts: dict[str, ToolRule] = {}

    def tool(self, name: str) -> ToolRule | None:
        """Return the rule of a tool."""
        rule = self._tools.get(name)
        if rule is None and (tool := self.offer.tools.get(name)) is not None and offered(self.server, name, tool):
            rule = self._tools[name] = tool_rule(self.server, name, tool.annotations)
        return rule

    def prompt(self, name: str) -> ToolRule | None:
        """Return the rule of a prompt."""
        rule = self._prompts.get(name)
        if rule is None and name in self.offer.prompts:
            rule = self._prompts[name] = prompt_rule(self.server, name)
        return rule

    def resource(self, uri: str) -> Governing | None:
        """Return the rule of a resource: one that is offered, by itself or by a template, or has a rule of its own.

        An upstream may list some resources to some people only, so the gateway's own list is not all there is.
        """
        if uri in self.offer.resources or any(template_fits(template, uri) for template in self.offer.templates):
            return resource_rule(self.server, uri)
        return find_rule(self.server.rules, RuleKind.RESOURCE, uri)

    def template(self, template: str) -> ToolRule | None:
        """Return the rule of a resource template."""
        return template_rule(self.server, template) if template in self.offer.templates else None


def offered(server: Server, name: str, tool: Tool) -> bool:
    """Say whether this version of a tool may be offered to anybody; else it is missing for all."""
    return standing(server, name, tool.digest) is ToolState.ALLOWED


def tool_rule(server: Server, name: str, annotations: Mapping[str, Any]) -> ToolRule:
    """Return the rule that governs a tool with these annotations."""
    return rule_for(server, RuleKind.TOOL, name, annotations)[0]


def prompt_rule(server: Server, name: str) -> ToolRule:
    """Return the rule that governs a prompt."""
    return rule_for(server, RuleKind.PROMPT, name, None)[0]


def resource_rule(server: Server, uri: str) -> Governing:
    """Return the rule that governs a resource."""
    return rule_for(server, RuleKind.RESOURCE, uri, None)


def template_rule(server: Server, template: str) -> ToolRule:
    """Return the rule that governs what a template makes: that of a URI with a plain value for each variable."""
    return resource_rule(server, sampled(template))[0]


def sampled(template: str) -> str:
    """Return a URI that a template makes, with a plain value for each variable."""
    return _EXPRESSION.sub(_sample, template)


def template_fits(template: str, uri: str) -> bool:
    """Say whether ``template`` (RFC 6570) could have made ``uri``.

    Generous where the template is (``{+path}`` takes slashes): the rule decides, this only says that it may exist.
    A URI that can be read in two ways (dot segments, encoded characters that need no encoding) never fits (K13).
    """
    return not _TWO_READINGS.search(uri) and _compiled(template).fullmatch(uri) is not None


_TWO_READINGS: Final = re.compile(
    r"[\x00-\x20\x7f\\]|(?:^|[/:])\.{1,2}(?=[/?#]|$)|%(?:2[dDeEfF]|3[0-9]|4[1-9a-fA-F]|5[0-9aAcCfF]|6[1-9a-fA-F]"
    r"|7[0-9aAeE]|0|1)|%(?![0-9A-Fa-f]{2})"
)


@lru_cache(maxsize=1024)
def _compiled(template: str) -> re.Pattern[str]:
    parts, at = [], 0
    for found in _EXPRESSION.finditer(template):
        parts += [re.escape(template[at : found.start()]), _pattern(found.group(1), found.group(2))]
        at = found.end()
    return re.compile("".join([*parts, re.escape(template[at:])]))


def _pattern(operator: str, names: str) -> str:
    if operator in {"?", "&"}:
        return rf"(?:[{operator}&][^#]*)?"
    return ".+" if operator in _PATH_VALUES or "*" in names else "[^/?#]+"


def _sample(found: re.Match[str]) -> str:
    operator = found.group(1)
    return "" if operator in {"?", "&", "#"} else ("/x" if operator == "/" else "x")


def offer_of(tools: Iterable[Any], prompts: Iterable[Any], resources: Iterable[Any], templates: Iterable[Any]) -> Offer:
    """Return the offer that these listed items make; items of another shape, and impossible names, are left out."""
    named = {tool["name"]: tool for tool in tools if tool_name_ok(text(tool, "name"))}
    return Offer(
        tools={name: tool_of(tool) for name, tool in named.items()},
        prompts=frozenset(text(prompt, "name") for prompt in prompts) - {""},
        resources=frozenset(text(resource, "uri") for resource in resources) - {""},
        templates=frozenset(text(template, "uriTemplate") for template in templates) - {""},
    )


def tool_of(item: Mapping[str, Any]) -> Tool:
    """Return what matters here of one listed tool."""
    annotations = item.get("annotations")
    said = {member: item.get(member) for member in _SAID}
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
    return Tool(
        annotations if isinstance(annotations, dict) else {},
        declared(item.get("inputSchema")),
        digest,
        text(item, "description")[:MAX_DESCRIPTION],
        {member: value for member, value in said.items() if value is not None},
    )


def text(item: Any, member: str) -> str:
    """Return a text member of a listed item, or '' where there is none."""
    value = item.get(member) if isinstance(item, dict) else None
    return value if isinstance(value, str) else ""
