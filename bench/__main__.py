"""``make bench``: Doorward and its peers, in turn, in the same run; prints one table each and keeps it in bench-results/."""

import argparse
import dataclasses
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from bench import authserver, crowd, keys, load, messages, nginx, pages, rotation
from bench.authserver_table import AuthReport
from bench.deployment import Deployment, deploy
from bench.keys import KeysReport
from bench.load import Figures, Work
from bench.machine import LOAD_CORE, SERVER_CORE, BenchError, Pinned, describe, free_port, settle, start
from bench.pages import PagesReport
from bench.table import CROWDED, DIRECT, GATEWAY_PEER, OURS, PEER, Report

RESULTS = Path(__file__).resolve().parent.parent / "bench-results"
CHAINS = 16
PACE = 50.0
"""Paced rotations per second: that of some 180 000 connections with access tokens of one hour."""

KINDS = {"call 1": ("call", 1), "call 32": ("call", 32), "list 32": ("list", 32)}
EXPECTED = {"call": '"text":"hello"', "list": '"tool_49"'}


def arguments() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("gateway", "authserver", "keys", "pages", "all"), default="all")
    parser.add_argument("--runs", type=int, default=3, help="runs of each kind; medians are shown (default 3)")
    parser.add_argument("--rows", type=int, default=pages.ROWS, help="pages: calls and events (default a million)")
    parser.add_argument("--seconds", type=int, default=3, help="length of one run (default 3)")
    return parser.parse_args()


def main() -> int:
    """Measure, print and keep. Returns 1 where an answer was wrong; a missed target is said, not failed."""
    options = arguments()
    alone = {"keys": many_keys, "pages": partial(all_pages, options.rows)}.get(options.what)
    if alone is not None:
        return alone()
    for tool in ("taskset",) if options.what == "authserver" else ("wrk", "taskset"):
        if shutil.which(tool) is None:
            print(f"{tool} is not installed: apt-get install wrk util-linux", file=sys.stderr)
            return 1
    if len(os.sched_getaffinity(0)) <= LOAD_CORE:
        print("The benchmark needs two cores: one for the server, one for the load.", file=sys.stderr)
        return 1
    os.sched_setaffinity(0, {LOAD_CORE})
    # An installed program has its bytecode; made anew at each start, it would be most of a cold start.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    errors = 0
    with tempfile.TemporaryDirectory(prefix="doorward-bench-") as name:
        try:
            if options.what != "authserver":
                errors = gateway(options, Path(name))
            if options.what != "gateway":
                found = authserver.measure(options.runs, options.seconds, Path(name), progress)
                progress("")
                print(found.text())
                keep(found, "authserver")
        except BenchError as wrong:
            print(wrong, file=sys.stderr)
            return 1
    return 1 if errors else 0


def many_keys() -> int:
    """Measure what keys cost among many, print and keep. Returns 1 where something is not flat."""
    report = keys.measure()
    print(report.text())
    keep(report, "keys")
    return 1 if report.slower() else 0


def all_pages(rows: int) -> int:
    """Measure pages among very many rows, print and keep. Returns 1 where one misses its target."""
    report = pages.measure(rows)
    print(report.text())
    keep(report, "pages")
    return 1 if report.slower() else 0


def gateway(options: argparse.Namespace, folder: Path) -> int:
    """Measure the gateway, print and keep. Returns how many answers were wrong."""
    report = Report(describe(), options.runs, options.seconds)
    with ExitStack() as stack:
        measure(report, folder, stack)
    print(report.text(), end="\n\n")
    keep(report, "gateway")
    return report.errors()


def measure(report: Report, folder: Path, stack: ExitStack) -> None:
    """Start everything, and fill in the report."""
    ports = [free_port() for _ in range(9)]
    direct, upstream, plain, auth, with_auth, own, many, numbered, proxy = ports
    deployment = deploy(folder / "doorward", port=own, upstream_port=upstream)
    crowded = deploy(folder / "doorward-crowded", port=many, upstream_port=upstream)
    key, many_key = deployment.key(), crowded.key()
    crowd.fill(crowded.folder / "doorward-data" / "doorward.db")
    service = {"BENCH_KEY": key, "BENCH_PORT": str(auth), "PYTHONPATH": str(RESULTS.parent)}
    command = [sys.executable, "-m", "bench.auth_service"]
    up = nginx.upstream("upstream", folder, core=LOAD_CORE, port=upstream)
    stack.callback(up.stop)
    first_calls = [first_call(deployment, key) for _ in range(report.runs)]
    # All run at once and are measured in turn: an idle process costs nothing, and noise falls on all alike.
    running = [
        nginx.upstream("upstream-direct", folder, core=SERVER_CORE, port=direct),
        nginx.plain(folder, core=SERVER_CORE, port=plain, upstream_port=upstream),
        start("auth-service", command, core=SERVER_CORE, port=auth, folder=folder, env=service),
        nginx.with_auth_request(folder, core=SERVER_CORE, port=with_auth, upstream_port=upstream, auth_port=auth),
        start(
            "numbered-upstream", [sys.executable, "-m", "bench.numbered_upstream"],
            core=LOAD_CORE, port=numbered, folder=folder, env={**service, "BENCH_PORT": str(numbered)},
        ),
        start(
            "fastmcp", [sys.executable, "-m", "bench.fastmcp_proxy"], core=SERVER_CORE, port=proxy, folder=folder,
            env={**service, "BENCH_PORT": str(proxy), "BENCH_UPSTREAM": f"http://127.0.0.1:{numbered}/mcp"},
        ),
        crowded.serve(),
        deployment.serve(),
    ]  # fmt: skip
    for pinned in running:
        stack.callback(pinned.stop)
    running.insert(0, up)
    server = running[-1]
    targets = {
        DIRECT: (direct, ""), "nginx, plain proxy": (plain, ""), PEER: (with_auth, key), GATEWAY_PEER: (proxy, key),
        OURS: (own, key), CROWDED: (many, many_key),
    }  # fmt: skip
    refuse_a_wrong_key(targets)
    pid = {each.name: each.process.pid for each in running}
    own_pids = {
        DIRECT: [pid["upstream-direct"]], "nginx, plain proxy": [pid["nginx-plain"]],
        PEER: [pid["nginx-auth"], pid["auth-service"]], GATEWAY_PEER: [pid["fastmcp"]],
        OURS: [running[-1].process.pid], CROWDED: [running[-2].process.pid],
    }  # fmt: skip
    report.calls = calls(targets, own_pids, report, folder, running)
    report.changing = changing(deployment, work("call", own, key), report, folder)
    report.rotations = rotations(deployment, work("call", own, key), report, folder)
    report.server = {"first_call_s": rotation.middle(first_calls), "rss_mib": server.rss_mib()}


def first_call(deployment: Deployment, key: str) -> float:
    """Start the server, measure the seconds until its first good call, and stop it."""
    begun = time.perf_counter()
    server = deployment.serve()
    try:
        load.check(OURS, work("call", deployment.port, key), EXPECTED["call"])
        return time.perf_counter() - begun
    finally:
        server.stop()


def changing(deployment: Deployment, one: Work, report: Report, folder: Path) -> dict[str, float]:
    """Measure calls while a command beside the server changes rights all the time."""
    found, made = [], 0
    for turn in range(report.runs):
        progress(f"run {turn + 1} of {report.runs}: calls while rights change")
        command = [
            sys.executable,
            "-m",
            "bench.changes",
            str(deployment.folder / "doorward.toml"),
            str(report.seconds + 1),
        ]
        beside = subprocess.Popen(
            ["taskset", "-c", str(LOAD_CORE), *command], stdout=subprocess.PIPE, text=True, cwd=RESULTS.parent,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(RESULTS.parent), os.environ.get("PYTHONPATH", "")])},
        )  # fmt: skip
        time.sleep(1)  # It has to start first.
        found.append(
            load.run(one, connections=32, seconds=report.seconds, output=folder / "wrk-changing.json", pids=[])
        )
        made += int(beside.communicate(timeout=60)[0] or 0)
    got = load.median(found)
    return {
        "per_second": got.per_second, "p50_ms": got.p50_ms, "p99_ms": got.p99_ms, "errors": got.errors,
        "changes": made / report.runs,
    }  # fmt: skip


def calls(
    targets: Mapping[str, tuple[int, str]],
    own: Mapping[str, list[int]],
    report: Report,
    folder: Path,
    running: "list[Pinned]",
) -> dict[str, dict[str, Figures]]:
    """Measure every target with every kind of load, in turn, and return the medians."""
    output, pids = folder / "wrk.json", [pinned.process.pid for pinned in running]
    found: dict[str, dict[str, list[Figures]]] = {name: {kind: [] for kind in KINDS} for name in targets}
    for name, (port, key) in targets.items():
        for kind, expected in EXPECTED.items():
            one = work(kind, port, key)
            load.check(name, one, expected)
            load.run(one, connections=8, seconds=1, output=output, pids=pids)
    for turn in range(report.runs):
        for kind, (method, connections) in KINDS.items():
            for name, (port, key) in targets.items():
                progress(f"run {turn + 1} of {report.runs}: {kind}, {name}")
                one = work(method, port, key)
                settle(pids)
                found[name][kind].append(
                    load.run(
                        one, connections=connections, seconds=report.seconds, output=output, pids=pids, own=own[name]
                    )
                )
    progress("")
    return {name: {kind: load.median(runs) for kind, runs in kinds.items()} for name, kinds in found.items()}


def rotations(deployment: Deployment, beside: Work, report: Report, folder: Path) -> dict[str, float]:
    """Measure refresh rotations alone, then paced beside saturated calls."""
    progress("connecting clients, then refresh rotations")
    chains = deployment.connect(CHAINS)
    rotation.saturate(chains, 0.5)
    alone = [rotation.saturate(chains, report.seconds) for _ in range(report.runs)]
    latencies, calls_beside = [], []
    for turn in range(report.runs):
        output = folder / f"wrk-beside-{turn}.json"
        saturating = load.begin(beside, connections=32, seconds=report.seconds + 2, output=output)
        try:
            latencies.append(rotation.paced(chains, per_second=PACE, seconds=report.seconds))
        finally:
            got = load.finish(saturating, output)
        calls_beside.append(got["requests"] / (got["duration_us"] / 1e6))
    return {
        "chains": CHAINS,
        "pace": PACE,
        "per_second": rotation.middle(alone),
        "p50_ms": rotation.middle([rotation.percentile(run, 50) for run in latencies]),
        "p99_ms": rotation.middle([rotation.percentile(run, 99) for run in latencies]),
        "max_ms": max(run[-1] for run in latencies),
        "calls_beside": rotation.middle(calls_beside),
    }


def progress(text: str) -> None:
    """Show what is being done, where somebody watches."""
    if sys.stderr.isatty():
        print(f"\r{text:<79}\r", end="", file=sys.stderr, flush=True)


def work(kind: str, port: int, key: str) -> Work:
    """Return one kind of request to one target."""
    authorization = {"Authorization": f"Bearer {key}"} if key else {}
    if kind == "call":
        return Work(port, messages.request("tools/call", messages.CALL), {**messages.CALL_HEADERS, **authorization})
    return Work(port, messages.request("tools/list", {}), {**messages.LIST_HEADERS, **authorization})


def refuse_a_wrong_key(targets: Mapping[str, tuple[int, str]]) -> None:
    """Raise ``BenchError`` where a target that is given a key lets a wrong one in: it would not be measured fairly."""
    for name, (port, key) in targets.items():
        if key:
            wrong = work("call", port, f"{key[:-4]}{secrets.token_hex(2)}")
            try:
                load.check(name, wrong, EXPECTED["call"])
            except BenchError:
                continue
            message = f"{name} lets a wrong key in"
            raise BenchError(message)


def keep(report: Report | AuthReport | KeysReport | PagesReport, what: str) -> None:
    """Write the report beside those of earlier runs."""
    RESULTS.mkdir(exist_ok=True)
    now = datetime.now(UTC)
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=RESULTS.parent, capture_output=True, text=True, check=False
    ).stdout.strip()
    path = RESULTS / f"{now:%Y-%m-%dT%H%M%S}-{commit or 'unknown'}-{what}"
    path.with_suffix(".txt").write_text(report.text() + "\n", encoding="utf-8")
    path.with_suffix(".json").write_text(json.dumps(dataclasses.asdict(report), indent=1), encoding="utf-8")
    print(f"\nkept in {path.relative_to(RESULTS.parent)}.txt and .json")


if __name__ == "__main__":
    sys.exit(main())
