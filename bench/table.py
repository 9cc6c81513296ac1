"""What is printed and kept: one table, the ratios, and whether the targets were met."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench.load import Figures

PEER = "nginx + auth_request (Python)"
OURS = "doorward, API key"
DIRECT = "direct to the upstream"

GATEWAY_PEER = "FastMCP 4 proxy"
CROWDED = "doorward, 100 000 keys"

NOISY = 0.1


def ratio(value: float, by: float) -> float:
    """Return ``value ÷ by``; NaN, which meets no target, where nothing at all was answered."""
    return value / by if by else float("nan")


@dataclass(frozen=True)
class Target:
    """One figure that must be reached."""

    what: str
    value: float
    bound: float
    unit: str = ""
    at_most: bool = False
    aim: float | None = None
    by_processor: float | None = None
    """The same ratio in processor time per request, which other programs on the machine disturb less."""

    @property
    def met(self) -> bool:
        """Whether it was reached."""
        return self.value <= self.bound if self.at_most else self.value >= self.bound

    def line(self) -> str:
        """Return it as a line of the report."""
        sign = "≤" if self.at_most else "≥"
        verdict = "met" if self.met else "MISSED"
        aim = "" if self.aim is None else f", aim {self.aim:g}"
        again = "" if self.by_processor is None else f"; by processor time {self.by_processor:.2f}"
        return (
            f"  {self.what:<66} {self.value:>8.2f}{self.unit}"
            f"  (must be {sign} {self.bound:g}{self.unit}: {verdict}{aim}{again})"
        )


@dataclass
class Report:
    """Everything that was measured. ``calls`` is by target, then by kind of load."""

    machine: str
    runs: int
    seconds: int
    calls: dict[str, dict[str, Figures]] = field(default_factory=dict)
    rotations: Mapping[str, float] = field(default_factory=dict)
    server: Mapping[str, float] = field(default_factory=dict)
    changing: Mapping[str, float] = field(default_factory=dict)
    """Calls while rights are changed."""

    def targets(self) -> list[Target]:
        """Return what must be reached, from one and the same run."""
        ours, peer, direct = self.calls[OURS], self.calls[PEER], self.calls[DIRECT]
        proxy, crowded, changing = self.calls[GATEWAY_PEER], self.calls[CROWDED], self.changing
        calls, rate = "tools/call, 32 connections", ours["call 32"].per_second
        return [
            Target(f"{calls} ÷ {PEER}", ratio(rate, peer["call 32"].per_second), 0.5, aim=1.0,
                by_processor=ratio(peer["call 32"].cpu_us, ours["call 32"].cpu_us),
            ),
            Target(f"{calls} ÷ {GATEWAY_PEER}", ratio(rate, proxy["call 32"].per_second), 25, aim=60,
            ),
            Target(
                "tools/call, 1 connection: p50 added to direct",
                ours["call 1"].p50_ms - direct["call 1"].p50_ms, 0.2, " ms", aim=0.1, at_most=True,
            ),
            Target(
                f"tools/list of 50, 32 connections ÷ {PEER}",
                ours["list 32"].per_second / peer["list 32"].per_second, 0.4, aim=0.9,
                by_processor=ratio(peer["list 32"].cpu_us, ours["list 32"].cpu_us),
            ),
            Target(
                "tools/call with 100 000 keys, 10 000 users, 1 000 tenants ÷ one",
                crowded["call 32"].per_second / rate, 0.95, aim=1.0,
            ),
            Target(
                f"p99 ÷ p50 while {changing['changes'] / (self.seconds + 1):.0f} security changes/s are made",
                changing["p99_ms"] / changing["p50_ms"], 4, aim=2.5, at_most=True,
            ),
            Target("RSS after load", self.server["rss_mib"], 120, " MiB", aim=80, at_most=True),
            Target("cold start to the first good call", self.server["first_call_s"], 1.0, " s", aim=0.5, at_most=True),
            Target(
                "refresh rotation p99 while 32 connections saturate tools/call",
                self.rotations["p99_ms"], 50, " ms", aim=10, at_most=True,
            ),
        ]  # fmt: skip

    def text(self) -> str:
        """Return the table."""
        peer = self.calls[PEER]
        lines = [
            f"{self.machine}",
            f"medians of {self.runs} runs of {self.seconds} s, all targets in turn",
            "",
            f"{'':<36}{'call, 1 connection':>22}{'call, 32 connections':>34}{'list of 50, 32':>24}{'processor':>12}",
            f"{'':<36}{'p50 ms':>11}{'req/s':>11}{'req/s':>12}{'p99 ms':>10}{'ratio*':>12}{'req/s':>12}{'ratio*':>12}{'µs/call':>12}",
        ]
        for name, got in self.calls.items():
            one, many, lists = got["call 1"], got["call 32"], got["list 32"]
            lines.append(
                f"{name:<36}{one.p50_ms:>11.3f}{one.per_second:>11,.0f}{many.per_second:>12,.0f}{many.p99_ms:>10.2f}"
                f"{many.per_second / peer['call 32'].per_second:>12.2f}{lists.per_second:>12,.0f}"
                f"{lists.per_second / peer['list 32'].per_second:>12.2f}{many.cpu_us:>12.0f}"
            )
        lines += [f"* ÷ {PEER}", "", *self._rotation_lines(), "", "Targets", *(t.line() for t in self.targets())]
        return "\n".join([*lines, *self._warnings()])

    def _rotation_lines(self) -> Sequence[str]:
        got = self.rotations
        return [
            f"refresh rotations, {got['chains']:.0f} connections, each answered after its commit: {got['per_second']:,.0f}/s",
            (
                f"the same, {got['pace']:.0f}/s while 32 connections saturate tools/call ({got['calls_beside']:,.0f} calls/s):"
                f" p50 {got['p50_ms']:.1f} ms, p99 {got['p99_ms']:.1f} ms, worst {got['max_ms']:.1f} ms"
            ),
        ]

    def _warnings(self) -> Sequence[str]:
        figures = [(name, kind, one) for name, got in self.calls.items() for kind, one in got.items()]
        wrong = [f"ERRORS: {one.errors} in {name}, {kind}" for name, kind, one in figures if one.errors]
        noise = max(one.others for _, _, one in figures)
        if noise > NOISY:
            wrong.append(
                f"NOISE: other programs used up to {noise:.0%} of the machine meanwhile; run again when it is quiet."
            )
        return ["", *wrong] if wrong else []

    def errors(self) -> int:
        """Return how many requests were answered wrongly or not at all."""
        return sum(one.errors for got in self.calls.values() for one in got.values())
