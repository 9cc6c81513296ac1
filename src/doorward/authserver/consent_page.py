"""What ``consent.html`` is told (features B10, B20; MCP authorization, consent requirements; G10, E4).

Names that others chose are data: the template escapes and cuts them, and a "Verified" badge comes from the host that
the answer goes to, never from a name.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from doorward.authserver import consent_memory
from doorward.authserver.choices import Choice
from doorward.authserver.consent import AskAgain, Question
from doorward.authserver.envelope import AskingDevice
from doorward.model import SECOND, ClientKind, PermissionEntry
from doorward.protocol import redirect_uri
from doorward.protocol.device import grouped
from doorward.protocol.scope import EMAIL, OFFLINE_ACCESS, OIDC_SCOPES, OPENID, PROFILE
from doorward.protocol.token import REFRESH_TOKEN
from doorward.web.words import duration, initials

CONSENT_PATH: Final = "/oauth/consent"
SIGN_IN_PATH: Final = "/sign-in"

DAY: Final = 86_400 * SECOND

_AWAY: Final[Mapping[str, Any]] = {
    "name": OFFLINE_ACCESS,
    "words": "Stay connected until you disconnect it",
    "destructive": False,
    "allowed": True,
    "new": False,
}

_PERSON: Final[Mapping[str, str]] = {
    OPENID: "Know who you are: your account here, and when you signed in",
    PROFILE: "See your name",
    EMAIL: "See your e-mail address",
}


def sign_in_url(sealed_request: str, *, again: bool) -> str:
    """Return where the person signs in and comes back to the request from; ``again``: although signed in."""
    back = f"{CONSENT_PATH}?{urlencode({'request': sealed_request})}"
    return f"{SIGN_IN_PATH}?{urlencode({'next': back, **({'switch': '1'} if again else {})})}"


def context(
    question: Question, *, sealed_form: str, sealed_request: str, again: AskAgain | None,
    verified_host: Callable[[str, str], str | None], here: str = "",
) -> dict[str, Any]:  # fmt: skip
    """Return the template's context. ``here`` is the network address of the person's browser."""
    request, client, device = question.pending.request, question.client, question.pending.device
    return {
        "client": {
            "name": client.name,
            # Anybody can begin a device's request in any public client's name: nothing there is proven.
            "verified_host": None if device is not None else verified_host(request.redirect_uri, client.id),
            "id_host": urlsplit(client.id).hostname if client.kind is ClientKind.METADATA_DOCUMENT else None,
            "client_uri_host": urlsplit(client.client_uri).hostname if client.client_uri else None,
        },
        "redirect": None if device is not None else _redirect(request.redirect_uri),
        "device": None if device is None else _device(device, here),
        "within": None if question.within is None else [each.name for each in question.within],
        "server_host_path": question.endpoint.url.partition("://")[2],
        "user": {"name": question.user.name, "email": question.user.email, "initials": initials(question.user.name)},
        "tenants": [_tenant(question, choice) for choice in question.choices],
        "pinned_tenant": question.endpoint.tenant_slug is not None,
        "only_signs_in": not set(question.pending.scopes) - OIDC_SCOPES,
        "groups": _groups(question, _ticked(question, again)),
        "nothing": not question.chosen.allowed - {OFFLINE_ACCESS, PROFILE, EMAIL},
        "lasts": _lasts(question),
        "message": None if again is None else again.message,
        "remember_days": consent_memory.LIFETIME // DAY if consent_memory.may_be_remembered(question) else None,
        "request": sealed_form,
        "switch_url": sign_in_url(sealed_request, again=True),
    }


def _lasts(question: Question) -> dict[str, str | None]:
    """Return how long a token works and, where the client may renew it, how long it may stay (G10)."""
    renews = REFRESH_TOKEN in question.client.grant_types
    return {
        "token": duration(question.access_seconds),
        "stay": duration(question.longest_seconds) if renews else None,
    }


def _redirect(uri: str) -> dict[str, Any]:
    target = redirect_uri.describe(uri)
    return {"host": target.host_display, "is_loopback": target.is_loopback, "scheme": target.scheme}


def _device(device: AskingDevice, here: str) -> dict[str, Any]:
    return {
        "code": grouped(device.user_code),
        "asked_from": device.asked_from,
        "asked_at": device.asked_at,
        "same_network": device.asked_from == here,
    }


def _tenant(question: Question, choice: Choice) -> dict[str, Any]:
    return {
        "slug": choice.tenant.slug,
        "name": choice.tenant.name,
        "role_names": list(choice.roles),
        "selected": choice is question.chosen,
    }


def _ticked(question: Question, again: AskAgain | None) -> frozenset[str]:
    """Return what stands ticked: by default all that may be granted but what destroys and is new (decision 0077.7)."""
    destructive = {str(entry.permission) for entry in question.catalogue if entry.destructive} - question.chosen.held
    allowed = question.chosen.allowed
    if again is None:
        return allowed - destructive
    return (again.ticked & allowed) | (allowed - again.offered - destructive)


def _groups(question: Question, ticked: frozenset[str]) -> list[dict[str, Any]]:
    entries = {str(entry.permission): entry for entry in question.catalogue}
    groups: dict[str, list[dict[str, Any]]] = {}
    for name in question.chosen.shown:
        if name in entries:
            groups.setdefault(name.partition(":")[0], []).append(_scope(question, entries[name], ticked))
    person = [_about_you(name, ticked) for name in question.chosen.shown if name in _PERSON]
    shown: list[dict[str, Any]] = [{"resource": OPENID, "title": "Who you are", "scopes": person}] if person else []
    shown += [{"resource": each, "title": _title(each), "scopes": scopes} for each, scopes in groups.items()]
    if OFFLINE_ACCESS in question.chosen.shown:
        scopes = [{**_AWAY, "ticked": OFFLINE_ACCESS in ticked}]
        shown.append({"resource": OFFLINE_ACCESS, "title": "When you are away", "scopes": scopes})
    return shown


def _scope(question: Question, entry: PermissionEntry, ticked: frozenset[str]) -> dict[str, Any]:
    name = entry.permission
    return {
        "name": name,
        "words": entry.words,
        "destructive": entry.destructive,
        "allowed": name in question.chosen.allowed,
        "ticked": name in ticked,
        "new": bool(question.chosen.held) and name not in question.chosen.held,
    }


def _about_you(name: str, ticked: frozenset[str]) -> dict[str, Any]:
    return {**_AWAY, "name": name, "words": _PERSON[name], "ticked": name in ticked}


def _title(resource: str) -> str:
    return resource.replace("_", " ").replace("-", " ").capitalize()
