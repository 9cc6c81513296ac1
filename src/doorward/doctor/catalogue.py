"""The 22 checks, in their order: each asks, then judges what came."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Final

from doorward.doctor import checks_calls, checks_clients, checks_discovery, checks_edge, checks_tokens
from doorward.doctor.record import Finding, Record
from doorward.doctor.visit import Visit


@dataclass(frozen=True, slots=True)
class Check:
    """``why``: what happens to people where it fails. ``hits``: ids of the clients, empty for all of them."""

    id: str
    title: str
    why: str
    hits: tuple[str, ...]
    ask: Callable[[Visit], Awaitable[None]]
    judge: Callable[[Record], Iterator[Finding]]


async def _nothing(_visit: Visit) -> None:
    """Ask nothing: what is judged was asked for before."""


_BROWSERS: Final = ("inspector",)
CHECKS: Final = (
    Check(
        "network", "The server can be reached", "Apps on the web come from data centres, over IPv4 and port 443.", (),
        checks_edge.ask_network, checks_edge.judge_network,
    ),
    Check(
        "challenge", "Without a token: 401 and the way to sign in", "Else no client offers to connect.", (),
        checks_discovery.ask_challenge, checks_discovery.judge_challenge,
    ),
    Check(
        "walls", "No pages, redirects or bot walls on JSON paths", "A client shows “something went wrong”.",
        ("claude", "chatgpt"), checks_edge.ask_walls, checks_edge.judge_walls,
    ),
    Check(
        "resource metadata", "Protected resource metadata where clients look", "A client does not find where to sign in.",
        (), checks_discovery.ask_resource_metadata, checks_discovery.judge_resource_metadata,
    ),
    Check(
        "resource", "resource is the URL that people type", "Clients compare it and stop: it could be somebody else's.",
        (), _nothing, checks_discovery.judge_resource,
    ),
    Check(
        "issuer", "One issuer, byte for byte", "Clients compare it and stop.", (), _nothing, checks_discovery.judge_issuer,
    ),
    Check(
        "server metadata", "Authorization server metadata in six places, one document",
        "Each client tries other places first.", (), checks_discovery.ask_server_metadata,
        checks_discovery.judge_server_metadata,
    ),
    Check(
        "flags", "The metadata says what clients look for", "A client that misses one goes another way, or none.", (),
        _nothing, checks_discovery.judge_flags,
    ),
    Check(
        "cors", "Browsers may ask", "Clients that run in a page see “network error”.", _BROWSERS, checks_edge.ask_cors,
        checks_edge.judge_cors,
    ),
    Check(
        "registration", "Every client can register, twice", "A client that is refused once shows an error of its own.", (),
        checks_clients.ask_registration, checks_clients.judge_registration,
    ),
    Check(
        "documents", "Vendors' metadata documents are taken", "The client is unknown after all.", (),
        checks_clients.ask_documents, checks_clients.judge_documents,
    ),
    Check(
        "authorization", "Every client may come back, and is told who answers", "“Invalid redirect”, or a refused answer.",
        (), checks_clients.ask_authorization, checks_clients.judge_authorization,
    ),
    Check(
        "page", "The page lets the browser go on", "The button does nothing.", (), checks_clients.ask_page,
        checks_clients.judge_page,
    ),
    Check(
        "code", "The code gives a token that can be renewed", "People sign in again every hour.", (),
        checks_tokens.ask_code, checks_tokens.judge_code,
    ),
    Check(
        "refresh", "Renewing works as clients do it", "People are signed out at random.", (), checks_tokens.ask_refresh,
        checks_tokens.judge_refresh,
    ),
    Check(
        "dead refresh", "A dead refresh token: 400 invalid_grant", "The client never asks to sign in again.", (),
        checks_tokens.ask_dead_refresh, checks_tokens.judge_dead_refresh,
    ),
    Check(
        "foreign token", "A token from elsewhere: 401", "Whoever has a token for another server gets in.", (),
        checks_calls.ask_foreign_token, checks_calls.judge_foreign_token,
    ),
    Check(
        "scope", "A call beyond the token: 403 that says what is missing", "“Token expired”, again and again.", (),
        checks_calls.ask_scope, checks_calls.judge_scope,
    ),
    Check(
        "list", "Tools for the token alone, kept by no cache", "Tools of somebody else, or none after signing in.", (),
        checks_calls.ask_list, checks_calls.judge_list,
    ),
    Check(
        "device", "Machines without a browser", "A client that prefers the device flow waits for ever.", ("vscode",),
        checks_tokens.ask_device, checks_tokens.judge_device,
    ),
    Check(
        "one server", "One clock, one set of keys, every replica the same", "It works, and then it does not.", (),
        checks_edge.ask_one_server, checks_edge.judge_one_server,
    ),
    Check(
        "forged", "Addresses do not depend on the caller", "Clients are sent to an inner or a foreign host.", (),
        checks_edge.ask_forged, checks_edge.judge_forged,
    ),
)  # fmt: skip
