"""What nginx asks with auth_request: a small Python service that knows one key by its hash. 204 or 401, nothing else."""

import hashlib
import os
from typing import Any

import uvicorn

KNOWN = {hashlib.sha256(os.environ.get("BENCH_KEY", "").encode()).digest()}


async def app(scope: dict[str, Any], _receive: Any, send: Any) -> None:
    """Answer one sub-request."""
    credential = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
    status = 204 if hashlib.sha256(credential.removeprefix(b"Bearer ")).digest() in KNOWN else 401
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": b""})


if __name__ == "__main__":
    uvicorn.run(
        app, host="127.0.0.1", port=int(os.environ["BENCH_PORT"]),
        log_level="warning", access_log=False, loop="uvloop", http="httptools", lifespan="off",
    )  # fmt: skip
