"""The table of the authorization server: who does how much, what it is of the others', and whether the targets are met."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from bench.own import OURS
from bench.saturate import CONNECTIONS, KINDS, Rate
from bench.subjects import AUTHLIB, OIDC_JWT, OIDC_OPAQUE
from bench.table import NOISY, Target

Value = TypeVar("Value")
Asked = dict[str, dict[str, Value]]
"""By server, then by kind of load."""

TITLES = {
    "client_credentials": "client credentials", "rotation": "refresh rotation", "introspection": "introspection",
    "flow": "code + PKCE flow",
}  # fmt: skip
AGAINST = {
    "client_credentials": (OIDC_JWT, 0.7, 1.5), "rotation": (OIDC_JWT, 0.7, 2.0), "introspection": (OIDC_OPAQUE, 0.5, 1.0),
    "flow": (OIDC_JWT, 0.7, 1.5),
}  # fmt: skip
"""Per kind: the peer, and what of its figure ours must be and should be."""
PYTHON_WAY = (1.5, 4.0)
SEEDED = (0.9, 0.95)
BESIDE_SIGN_INS = (2.0, 1.3)
COLD_MS = (900.0, 450.0)
IDLE_MB = (120.0, 80.0)
LOADED_MB = (160.0, 110.0)
BUSY_LOAD = 0.9


@dataclass
class Subjects:
    """What is known of one server beside its rates."""

    remark: str
    cold_s: float
    idle_mb: float
    loaded_mb: float = 0.0


@dataclass
class AuthReport:
    """Everything that was measured."""

    machine: str
    runs: int
    seconds: int
    missing: Sequence[str] = ()
    million: int = 0
    subjects: dict[str, Subjects] = field(default_factory=dict)
    rates: Asked[Rate] = field(default_factory=dict)
    seeded: dict[str, float] = field(default_factory=dict)
    pages_per_flow: int = 0
    alone_p99_ms: float = 0.0
    beside_p99_ms: float = 0.0
    sign_ins: int = 0

    def targets(self) -> list[Target]:
        """Return what must be reached, from one and the same run; rows whose peer is missing are left out."""
        found = [self._ratio(kind, *AGAINST[kind]) for kind in KINDS]
        found += [self._ratio(kind, AUTHLIB, *PYTHON_WAY) for kind in KINDS]
        found += [
            Target(
                f"{TITLES[kind]} with {self.million:,} refresh tokens and keys ÷ empty",
                value,
                *SEEDED[:1],
                aim=SEEDED[1],
            )
            for kind, value in self.seeded.items()
        ]
        ours = self.subjects[OURS]
        beside = self.beside_p99_ms / self.alone_p99_ms
        found += [
            _most("token endpoint's p99 beside 20 queued sign-ins ÷ without", beside, BESIDE_SIGN_INS),
            _most("cold start to the first 200 on discovery", ours.cold_s * 1000, COLD_MS, " ms"),
            _most("resident memory when idle", ours.idle_mb, IDLE_MB, " MB"),
            _most("resident memory after the load", ours.loaded_mb, LOADED_MB, " MB"),
        ]
        return [target for target in found if target is not None]

    def _ratio(self, kind: str, peer: str, must: float, aim: float) -> Target | None:
        theirs = self.rates.get(peer, {}).get(kind)
        if theirs is None:
            return None
        ours = self.rates[OURS][kind]
        return Target(
            f"{TITLES[kind]} ÷ {peer}", ours.per_second / theirs.per_second, must, aim=aim,
            by_processor=theirs.cpu_us / ours.cpu_us,
        )  # fmt: skip

    def text(self) -> str:
        """Return the table."""
        wide = max(len(name) for name in self.subjects) + 2
        lines = [
            f"Authorization server: {self.machine}",
            f"{CONNECTIONS} connections, medians of {self.runs} runs of {self.seconds} s, all servers in turn",
            "per second, and µs of processor time per request",
            "",
            " " * wide
            + "".join(f"{TITLES[kind]:>24}" for kind in KINDS)
            + f"{'cold ms':>9}{'MB idle':>9}{'loaded':>8}",
        ]
        for name, about in self.subjects.items():
            row = "".join(_cell(self.rates[name].get(kind)) for kind in KINDS)
            lines.append(f"{name:<{wide}}{row}{about.cold_s * 1000:>9.0f}{about.idle_mb:>9.0f}{about.loaded_mb:>8.0f}")
        lines += ["", *(f"{name}: {about.remark}" for name, about in self.subjects.items())]
        pages = (
            "the consent page and its answer, " if self.pages_per_flow else "a redirect that remembers the consent, "
        )
        lines.append(
            f"A flow of ours is authorize, {pages}token, each from a new browser; of the others authorize, token."
        )
        lines.append(
            f"p99 of {TITLES['client_credentials']} at a fixed pace, unpinned: {self.alone_p99_ms:.1f} ms alone,"
            f" {self.beside_p99_ms:.1f} ms beside 20 people signing in ({self.sign_ins} sign-ins in all)"
        )
        lines += [*self.missing, "", "Targets", *(target.line() for target in self.targets())]
        return "\n".join([*lines, *self._warnings()])

    def _warnings(self) -> Sequence[str]:
        each = [(name, kind, one) for name, kinds in self.rates.items() for kind, one in kinds.items()]
        wrong = [
            f"The load used {one.load:.0%} of its core in {TITLES[kind]} of {name}: it may have been the limit."
            for name, kind, one in each
            if one.load > BUSY_LOAD
        ]
        noise = max(one.others for _, _, one in each)
        if noise > NOISY:
            wrong.append(f"NOISE: other programs used up to {noise:.0%} of the machine; run again when it is quiet.")
        return ["", *wrong] if wrong else []


def _most(what: str, value: float, bounds: Sequence[float], unit: str = "") -> Target:
    return Target(what, value, bounds[0], unit, at_most=True, aim=bounds[1])


def _cell(rate: Rate | None) -> str:
    return f"{'-':>24}" if rate is None else f"{rate.per_second:>14,.0f}{rate.cpu_us:>7.0f} µs"
