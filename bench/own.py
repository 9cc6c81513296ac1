"""Ours as one of the compared authorization servers: everything at its default, SQLite with synchronous=FULL, audit on."""

import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from typing_extensions import override

from bench.deployment import APP, CALLBACK, EMAIL, MACHINE, TESTS, Deployment
from bench.machine import Pinned
from bench.subjects import Subject
from bench.wire import Wire, code_in, eat, get, path_of, post

if TYPE_CHECKING:
    from support.person import Form

OURS = "doorward"
KINDS = ("client_credentials", "rotation", "introspection", "flow")


class Own(Subject):
    """A deployment of ours. The person of the tests signs in; the load itself then answers the consent page, if any."""

    deployment: Deployment
    approvals: int = 0
    """How many consent pages were answered: one, if the answer is remembered."""
    _form: list[tuple[str, str]] | None = None

    @override
    def start(self, folder: Path, core: int | None = 0) -> Pinned:
        begun = time.perf_counter()
        running = self.deployment.serve(core=core)
        running.wait_for_200(self.port, self.discovery)
        running.started_in = time.perf_counter() - begun
        return running

    @override
    async def prepare(self, wire: Wire) -> None:
        sys.path.insert(0, str(TESTS))
        from support.person import Person  # noqa: PLC0415

        person = Person(EMAIL, self.deployment.password, follow_callback=False)
        url = self.deployment.url
        page = person.browser.get(f"{url}/sign-in")
        answer = person.browser.post(
            f"{url}/sign-in",
            data={"email": EMAIL, "password": self.deployment.password, "next": "/"},
            headers={"origin": url},
        )
        if answer.status_code != 303:
            raise RuntimeError(f"sign-in: {page.status_code}, {answer.status_code} {answer.text[:300]}")
        self.cookies = dict(person.browser.cookies.items())
        await self.flow(wire)  # and let the client in without asking from now on
        self.approvals = 0

    @override
    def jar(self) -> dict[str, str]:
        # A new browser for each flow: one that connects the same client a thousand times would be asked about a
        # thousand connections.
        return {name: value for name, value in self.cookies.items() if not name.endswith("doorward_browser")}

    @override
    async def approve(self, wire: Wire, location: str, cookies: dict[str, str]) -> str:
        answer = await wire.send(get(path_of(location), cookies))
        if answer.status == 303 and (code := code_in(answer.location())) is not None:
            return code  # remembered
        if answer.status != 200:
            raise answer.unexpected("the consent page")
        text = answer.body.decode()
        sealed = text.split('name="request"', 1)[1].split('value="', 1)[1].split('"', 1)[0]
        if self._form is None:
            self._form = _without_request(text)
        url = self.deployment.url
        form = [("request", sealed), *self._form, ("remember", "yes"), ("answer", "approve")]
        answer = await wire.send(post("/oauth/consent", form, cookies=cookies, origin=url))
        eat(cookies, answer)
        code = code_in(answer.location())
        if code is None:
            raise answer.unexpected("a code")
        self.approvals += 1
        return code


def _without_request(text: str) -> list[tuple[str, str]]:
    """Return what a browser would send of the form that approves, but for the sealed request."""
    from support.person import Page  # noqa: PLC0415

    form: Form = next(form for form in Page(text).forms if form.named("answer"))
    kept = [f for f in form.fields if f.type == "hidden" or (f.type in {"checkbox", "radio"} and f.checked)]
    return [(each.name, each.value) for each in kept if each.name != "request" and not each.disabled]


def own(deployment: Deployment, name: str = OURS, like: Own | None = None) -> Own:
    """Return our server over ``deployment``; a copy knows the secrets of what it is ``like``."""
    subject = Own(
        name=name, command=[], env={}, port=deployment.port, kinds=KINDS, token="/oauth/token", authorize="/oauth/authorize",
        introspect="/oauth/introspect", scope="bench:read bench:write", client_id=APP, redirect_uri=CALLBACK,
        machine_secret=like.machine_secret if like else deployment.client_secret(MACHINE),
        app_secret=like.app_secret if like else deployment.client_secret(APP),
        more={"resource": f"{deployment.url}/mcp"}, remark="durable (synchronous=FULL), audit on; the flow's client proves itself",
    )  # fmt: skip
    subject.deployment = deployment
    return subject


def copy(deployment: Deployment, folder: Path, port: int) -> Deployment:
    """Return a deployment with the same rows, keys and clients in another folder; the source must not be running."""
    shutil.copytree(deployment.folder, folder)
    path = folder / "doorward.toml"
    text = path.read_text(encoding="utf-8")
    text = text.replace(str(deployment.folder), str(folder)).replace(f":{deployment.port}", f":{port}")
    path.write_text(text, encoding="utf-8")
    return Deployment(folder, port, deployment.password)
