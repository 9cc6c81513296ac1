"""A stdio MCP server of 2025-11-25 without any package, so that it starts at once; some of its tools misbehave.

``python stdio_server.py [FOLDER]``: with a folder it leaves a file there, named by its process number, at each start.
"""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

NAMES = (
    "remember", "recall", "environment", "place", "crash", "count", "sleep", "huge", "noise", "foreign", "ask", "child",
    "meta", "change",
)  # fmt: skip
notes: list[str] = []
lock = threading.Lock()
answers: dict[str, Any] = {}
answered = threading.Condition()
client: dict[str, Any] = {}


def send(message: dict[str, Any]) -> None:
    with lock:
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        sys.stdout.flush()


def text(value: Any) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": value if isinstance(value, str) else json.dumps(value)}]}


def ask(method: str) -> Any:
    send({"id": f"q-{method}", "method": method, "params": {"message": "How are you?", "messages": []}})
    with answered:
        answered.wait_for(lambda: f"q-{method}" in answers, timeout=5)
    return answers.pop(f"q-{method}", "nobody answered")


def call(name: str, arguments: dict[str, Any], meta: dict[str, Any], number: Any) -> Any:  # noqa: C901, PLR0911, PLR0912  (one tool each)
    if name == "remember":
        notes.append(arguments["text"])
    elif name == "environment":
        return dict(os.environ)
    elif name == "place":
        opened = [Path(f"/proc/self/fd/{number}") for number in range(3, 64)]
        files = [str(each.readlink()) for each in opened if each.exists()]
        return {"cwd": str(Path.cwd()), "files": files, "leads": os.getpgid(0) == os.getpid(), "pid": os.getpid()}
    elif name == "crash":
        print("crashing with s3cret-value, as was asked", file=sys.stderr, flush=True)
        os._exit(7)
    elif name == "count":
        for step in range(arguments["to"]):
            send({
                "method": "notifications/progress",
                "params": {"progressToken": meta.get("progressToken"), "progress": step + 1},
            })  # fmt: skip
    elif name == "sleep":
        Path(sys.argv[1], f"busy-{os.getpid()}").touch()
        time.sleep(arguments["seconds"])
    elif name == "huge":
        return "x" * arguments["size"]
    elif name == "noise":
        sys.stdout.write('I am a banner\n[]\n{"id": true}\n{"id": 77777, "result": {"content": []}}\n')
        send({"id": [number], "result": text("not yours")})
    elif name == "foreign":
        for other in range(number):
            send({"id": other, "result": text("stolen")})
    elif name == "ask":
        return ask(arguments["method"])
    elif name == "child":
        return subprocess.Popen(["sleep", "600"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL).pid
    elif name == "meta":
        return meta
    elif name == "change":
        send({"method": "notifications/tools/list_changed"})
        send({"method": "notifications/resources/updated", "params": {"uri": arguments.get("uri", "note://first")}})
    return notes


def answer(message: dict[str, Any]) -> None:
    method, number, params = message["method"], message["id"], message.get("params", {})
    if method == "tools/call":
        outcome = call(params["name"], params.get("arguments", {}), params.get("_meta", {}), number)
        send({"id": number, "result": text(outcome)})
    elif method == "tools/list":
        tools = [{"name": name, "inputSchema": {"type": "object"}} for name in NAMES]
        send({"id": number, "result": {"tools": tools}})
    elif method == "resources/list":
        send({"id": number, "result": {"resources": [{"uri": "note://first", "name": "first"}]}})
    elif method == "resources/read":
        send({"id": number, "result": {"contents": [{"uri": params["uri"], "text": json.dumps(notes)}]}})
    elif method in {"resources/subscribe", "resources/unsubscribe", "ping", "logging/setLevel"}:
        notes.append(f"{method} {params.get('uri', '')}".strip())
        send({"id": number, "result": {}})
    else:
        send({"id": number, "error": {"code": -32601, "message": "no such method"}})


def hear(message: dict[str, Any]) -> None:
    if message.get("method") == "initialize":
        client.update(message["params"])
        result = {
            "protocolVersion": os.environ.get("SPEAKS", "2025-11-25"),
            "capabilities": {"tools": {"listChanged": True}, "resources": {"subscribe": True}},
            "serverInfo": {"name": "notebook", "version": "1.2.3"},
        }
        send({"id": message["id"], "result": result})
    elif "method" in message and "id" in message:
        threading.Thread(target=answer, args=[message], daemon=True).start()
    elif message.get("method") == "notifications/cancelled":
        notes.append(f"cancelled {message['params']['requestId']}")
    elif "method" not in message:
        with answered:
            answers[message["id"]] = message.get("result", message.get("error"))
            answered.notify_all()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        Path(sys.argv[1], str(os.getpid())).touch()
    if os.environ.get("BROKEN"):
        sys.exit(3)
    for line in sys.stdin:
        hear(json.loads(line))
