"""A model on this computer, for clients that take one in place of their vendor's: it calls ``whoami`` and says what it heard.

The part of OpenAI's chat completions that GitHub's Copilot CLI uses (``copilot help providers``).
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from typing_extensions import override


class _Model(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        """Answer a turn of a conversation."""
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        delta = _turn(asked)
        choices = ({"delta": delta, "finish_reason": None}, {"delta": {}, "finish_reason": _end(delta)})
        for choice in choices:
            chunk = {
                "id": "1",
                "object": "chat.completion.chunk",
                "model": "local",
                "choices": [{"index": 0, **choice}],
            }
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")

    @override
    def log_message(self, format: str, *args: object) -> None:
        pass


def _turn(asked: dict[str, Any]) -> dict[str, Any]:
    tools = [tool["function"]["name"] for tool in asked.get("tools", [])]
    wanted = [name for name in tools if name.endswith("whoami")]
    told = [message["content"] for message in asked["messages"] if message["role"] == "tool"]
    if told or not wanted:
        return {"role": "assistant", "content": f"The tool says: {told[0]}" if told else "There is no such tool."}
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": wanted[0], "arguments": "{}"}}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def _end(delta: dict[str, Any]) -> str:
    return "tool_calls" if "tool_calls" in delta else "stop"


@contextmanager
def local_model() -> Iterator[str]:
    """Serve it, and give its base URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Model) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        server.shutdown()
        thread.join()
