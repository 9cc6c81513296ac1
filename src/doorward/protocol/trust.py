"""Trust rules: which tokens of another issuer stand for a service account here (RFC 7523 section 3).

A rule is an exact statement about a token's claims. What the rule does not say is refused where it decides who somebody
is: a rule needs a claim that names the workload, a wildcard never stands for an owner, and what a name can be taken over
by (a repository that is deleted and made again by a stranger) is pinned to the ids that the first token carried.
"""

import hashlib
import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

from doorward.model import SECOND, Instant, TrustRule
from doorward.protocol import jsonrpc
from doorward.protocol.errors import JsonRpcError
from doorward.protocol.signed_jwt import SKEW, SignedJwt

MAX_LIFETIME = 900
MIN_LIFETIME = 60
"""Seconds that an access token may live."""
ASSERTION_LIFETIME = 24 * 3600
"""Seconds; a token that is good for longer is a key, and is not taken."""
MAX_CLAIMS = 16
MAX_VALUE = 1024
MAX_JTI = 256
TYPES = (None, "JWT", "jwt")
"""Other types mean other things: identity assertions, access tokens (RFC 8725 section 3.11)."""

_ISSUER = re.compile(r"https://[a-z0-9][a-z0-9.-]*\.[a-z0-9-]+(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/-]*)?")
_CLAIM = re.compile(r"[A-Za-z][A-Za-z0-9_./:-]{0,127}")
_JUDGED_ANYWAY = frozenset({"iss", "aud", "exp", "iat", "nbf", "jti"})
_SEPARATORS = re.compile(r"[/:@]")

NAMES_WHO = frozenset({
    "sub", "repository", "repository_id", "repository_owner", "repository_owner_id", "project_path", "project_id",
    "namespace_path", "namespace_id",
})  # fmt: skip
"""Claims that say whose workload it is. Anybody can call a public reusable workflow or name a branch ``main``."""

_LITERAL_PARTS = {
    "repository": 1, "project_path": 1, "namespace_path": 1, "environment": 0, "ref": 2, "workflow_ref": 2,
    "job_workflow_ref": 2, "ci_config_ref_uri": 3,
}  # fmt: skip
"""Claims with wildcards, and how many parts stand before the first one: ``acme/*``, never ``*/site``."""
_LITERAL_PARTS_OF_SUB = {"repo": 2, "project_path": 2, "system": 3}

_GITHUB = frozenset({"repository", "repository_owner", "job_workflow_ref", "workflow_ref"})
_GITLAB = frozenset({"project_path", "namespace_path", "ref_protected", "ci_config_ref_uri"})
_ACCOUNT_UID = "kubernetes.io/serviceaccount/uid"
_NESTED = {
    name: tuple(name.split("/"))
    for name in (_ACCOUNT_UID, "kubernetes.io/namespace", "kubernetes.io/serviceaccount/name")
}
"""Claims inside others, by our name for them."""


def problem(rule: TrustRule) -> str | None:
    """Return why ``rule`` must not be kept, in words for whoever wrote it, or None."""
    uri, audience = rule.jwks_uri, rule.audience
    checks = {
        f"issuer {rule.issuer[:200]!r} is no https URL": _ISSUER.fullmatch(rule.issuer) is not None,
        "jwks and jwks_uri exclude each other": not (rule.jwks and uri),
        f"jwks_uri {(uri or '')[:200]!r} is no https URL": uri is None or _ISSUER.fullmatch(uri) is not None,
        "the audience is empty or too long": audience is None or _value_ok(audience),
        f"the lifetime must be {MIN_LIFETIME} to {MAX_LIFETIME} seconds": MIN_LIFETIME <= rule.lifetime <= MAX_LIFETIME,
        f"the claims must say whose workload it is, by one of {', '.join(sorted(NAMES_WHO))}": _says_who(rule.claims),
        "pin names something that is no claim to compare": all(map(_name_ok, rule.pins)),
    }
    wrong = next((words for words, holds in checks.items() if not holds), None)
    return wrong or next((told for each in rule.claims.items() if (told := _claim_problem(*each))), None)


def default_pins(claims: Mapping[str, str]) -> tuple[str, ...]:
    """Return the ids that stand behind the names in ``claims`` at GitHub, GitLab and Kubernetes."""
    first = claims.get("sub", "").partition(":")[0]
    if first == "repo" or claims.keys() & _GITHUB:
        # A rule for all repositories of an owner is about the owner alone.
        one = _names_one(claims, "repository")
        pins: tuple[str, ...] = ("repository_id", "repository_owner_id") if one else ("repository_owner_id",)
    elif first == "project_path" or claims.keys() & _GITLAB:
        pins = ("project_id", "namespace_id") if _names_one(claims, "project_path") else ("namespace_id",)
    elif first == "system":
        pins = () if "*" in claims["sub"] else (_ACCOUNT_UID,)
    else:
        pins = ()
    return tuple(name for name in pins if name not in claims)


def failures(rule: TrustRule, claims: Mapping[str, Any], audiences: Collection[str], now: Instant) -> list[str]:
    """Return the names of the claims that do not fit ``rule`` now; none: the token is one of those it trusts.

    ``audiences`` are the names of this server; a rule with an audience of its own takes that one alone.
    """
    wanted = audiences if rule.audience is None else (rule.audience,)
    failed = [] if claims.get("iss") == rule.issuer else ["iss"]
    failed += [] if _audience(claims.get("aud")) in wanted else ["aud"]
    failed += _times(claims, now)
    failed += [] if _text(claims, "sub") else ["sub"]
    failed += [] if "jti" not in claims or _jti_ok(claims["jti"]) else ["jti"]
    failed += [name for name, value in rule.claims.items() if not fits(value, _text(claims, name))]
    known = rule.pinned
    if known is None:
        failed += [name for name in rule.pins if not _text(claims, name)]
    else:
        failed += [name for name, value in known.items() if _text(claims, name) != value]
    return list(dict.fromkeys(failed))


def pinned_by(rule: TrustRule, claims: Mapping[str, Any]) -> dict[str, str]:
    """Return what a pending rule is pinned to by the first token that fits it."""
    return {name: _text(claims, name) for name in rule.pins}


def fits(pattern: str, value: str) -> bool:
    """Say whether ``value`` is what a rule asks for: the same text, or each ``*`` one stretch without ``/ : @``."""
    if "*" not in pattern or not 0 < len(value) <= MAX_VALUE:
        return bool(value) and value == pattern
    return re.fullmatch("[^/:@]+".join(map(re.escape, pattern.split("*"))), value) is not None


def use_of(jwt: SignedJwt) -> str:
    """Return what tells this token from the issuer's others: its ``jti``, else a hash of all that is signed."""
    jti = jwt.claims.get("jti")
    signed = jwt.text.rpartition(".")[0]
    return f"jti {jti}" if isinstance(jti, str) else "sha256 " + hashlib.sha256(signed.encode()).hexdigest()


def jwks_uri_of(document: bytes, issuer: str) -> str:
    """Return where the keys of ``issuer`` are, from its own discovery document. Raises ``ValueError``.

    ``issuer`` must be equal byte for byte (OpenID Connect Discovery section 4.3), and the keys on the same host.
    """
    try:
        members = jsonrpc.decode_object(document)
    except JsonRpcError as wrong:
        raise ValueError(f"discovery document: {wrong.reason}") from None
    uri = members.get("jwks_uri")
    if members.get("issuer") != issuer:
        raise ValueError("discovery document of another issuer")
    if not isinstance(uri, str) or _ISSUER.fullmatch(uri) is None:
        raise ValueError("discovery document without a usable jwks_uri")
    if urlsplit(uri).hostname != urlsplit(issuer).hostname:
        raise ValueError("jwks_uri on another host; name it in the rule if that is right")
    return uri


def _says_who(claims: Mapping[str, str]) -> bool:
    return 0 < len(claims) <= MAX_CLAIMS and bool(claims.keys() & NAMES_WHO)


def _claim_problem(name: str, value: str) -> str | None:
    if not _name_ok(name) or not _value_ok(value):
        return f"claim {name[:80]!r} cannot be compared with a text, or its value is empty or too long"
    if "*" not in value:
        return None
    parts = _SEPARATORS.split(value)
    literal = _LITERAL_PARTS_OF_SUB.get(parts[0]) if name == "sub" else _LITERAL_PARTS.get(name)
    if literal is None:
        return f"claim {name!r} takes no wildcard here"
    if any("*" in part for part in parts[:literal]) or len(parts) <= literal:
        return f"claim {name!r}: a wildcard may not stand for the owner; write out the first {literal} parts"
    if any(part.count("*") > 1 for part in parts) or not value.replace("*", "").strip("/:@"):
        return f"claim {name!r}: one wildcard in each part, beside something that is written out"
    return None


def _name_ok(name: str) -> bool:
    return _CLAIM.fullmatch(name) is not None and name not in _JUDGED_ANYWAY


def _value_ok(value: str) -> bool:
    return 0 < len(value) <= MAX_VALUE and value.isprintable() and value == value.strip()


def _names_one(claims: Mapping[str, str], name: str) -> bool:
    """Say whether exactly one repository is meant, by the claim ``name`` or within ``sub``."""
    named = claims.get(name) or claims.get("sub", "").partition(":")[2].partition(":")[0]
    return bool(named) and "*" not in named


def _text(claims: Mapping[str, Any], name: str) -> str:
    """Return a claim that is a text, else '' (which fits nothing): no guess is made about other types."""
    value: Any = claims
    for part in _NESTED.get(name, (name,)):
        value = value.get(part) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""


def _audience(value: object) -> object:
    # One audience only: a token that is good at two servers lets each use it at the other (J6).
    only = value[0] if isinstance(value, list) and len(value) == 1 else value
    return only if isinstance(only, str) else None


def _times(claims: Mapping[str, Any], now: Instant) -> list[str]:
    seconds = now / SECOND
    whole = {name: claims[name] for name in ("exp", "iat", "nbf") if type(claims.get(name)) is int}
    failed = [name for name in ("exp", "iat") if name not in whole]
    failed += ["nbf"] if "nbf" in claims and "nbf" not in whole else []
    if failed:
        return failed
    too_long = whole["exp"] - whole["iat"] > ASSERTION_LIFETIME
    failed = ["exp"] if whole["exp"] <= seconds or too_long else []
    return failed + [name for name in ("iat", "nbf") if whole.get(name, 0) > seconds + SKEW]


def _jti_ok(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_JTI and value.isprintable()
