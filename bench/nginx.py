"""nginx as the upstream (a fixed answer), as a plain proxy, and as a proxy that asks an authentication service."""

import getpass
import shutil
from pathlib import Path

from bench import messages
from bench.machine import BenchError, Pinned, start

PIECE = 2_000
"""nginx takes no parameter longer than its buffer: long answers are put together from variables."""


def upstream(name: str, folder: Path, *, core: int, port: int) -> Pinned:
    """Start an MCP server that is a fixed text for each method: as fast as nginx can answer anything."""
    maps, answers = [], []
    for number, method in enumerate(messages.RESULTS):
        text = messages.answer(method)
        pieces = [text[at : at + PIECE] for at in range(0, len(text), PIECE)]
        names = [f"$piece_{number}_{index}" for index in range(len(pieces))]
        maps += [
            f"map $host {variable} {{ default '{piece}'; }}" for variable, piece in zip(names, pieces, strict=True)
        ]
        answers.append(f'    {method} "{"".join(names)}";')
    maps.append("map $http_mcp_method $answer {\n" + "\n".join(answers) + "\n  }")
    location = "location = /mcp { default_type application/json; return 200 $answer; }"
    return _start(name, folder, core, port, "\n  ".join(maps), location)


def plain(folder: Path, *, core: int, port: int, upstream_port: int) -> Pinned:
    """Start a proxy that lets everybody through."""
    return _start("nginx-plain", folder, core, port, _pool("up", upstream_port), f"location = /mcp {{ {_PROXY} }}")


def with_auth_request(folder: Path, *, core: int, port: int, upstream_port: int, auth_port: int) -> Pinned:
    """Start a proxy that asks ``auth_port`` about every request first."""
    ask = (
        "location = /authz { internal; proxy_pass http://au/; proxy_pass_request_body off; proxy_http_version 1.1;"
        ' proxy_set_header Content-Length ""; proxy_set_header Connection ""; }'
    )
    pools = f"{_pool('up', upstream_port)}\n  {_pool('au', auth_port)}"
    return _start(
        "nginx-auth", folder, core, port, pools, f"location = /mcp {{ auth_request /authz; {_PROXY} }}\n    {ask}"
    )


_PROXY = (
    'proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection "";'
    " client_body_buffer_size 64k; proxy_buffers 8 32k; proxy_buffer_size 32k;"
)


def _pool(name: str, port: int) -> str:
    return f"upstream {name} {{ server 127.0.0.1:{port}; keepalive 64; keepalive_requests 100000000; }}"


def _start(name: str, folder: Path, core: int, port: int, before: str, locations: str) -> Pinned:
    home = folder / name
    home.mkdir()
    temporary = " ".join(
        f"{kind}_temp_path {home / kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    path = home / "nginx.conf"
    path.write_text(
        f"""user {getpass.getuser()};
worker_processes 1;
daemon off;
pid {home / "pid"};
error_log stderr warn;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  keepalive_requests 100000000;
  keepalive_timeout 600;
  map_hash_bucket_size 256;
  variables_hash_max_size 4096;
  {temporary}
  {before}
  server {{
    listen 127.0.0.1:{port};
    {locations}
  }}
}}
""",
        encoding="utf-8",
    )
    return start(name, [executable(), "-p", str(home), "-c", str(path)], core=core, port=port, folder=home)


def executable() -> str:
    """Return where nginx is; Debian keeps it off a plain user's PATH."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if found is None:
        raise BenchError("nginx is not installed: apt-get install nginx")
    return found
