"""The pages of docs/clients/ and docs/which-method.md, from the same data as the setup page and `doorward connect`."""

from collections.abc import Iterator

from doorward.clients import filling, guides
from doorward.clients.filling import Values
from doorward.clients.guides import WAYS, Guide, Step

EXAMPLE = Values(url="https://mcp.example.com/acme/mcp", name="acme")
TITLES = {"oauth": "Sign in with the browser", "key": "With an API key"}
CELLS = {
    "kind": "kind", "platform": "runs on", "set_up_in": "set up in", "browser": "browser", "returns_to": "comes back to",
    "key": "API key", "takes": "takes",
}  # fmt: skip


def client_pages(note: str) -> Iterator[tuple[str, str]]:
    """Yield each page: its name under docs/ and what it says."""
    yield "clients/README.md", _index(note)
    yield "which-method.md", _methods(note)
    for guide in guides.guides().values():
        yield f"clients/{guide.id}.md", _guide(guide, note)


def _index(note: str) -> str:
    rows = [
        f"| [{guide.name}]({guide.id}.md) | {' | '.join(guide.compared[cell] for cell in CELLS)} |"
        for guide in guides.guides().values()
    ]
    head = [f"| client | {' | '.join(CELLS.values())} |", f"|---|{'---|' * len(CELLS)}"]
    says = (
        "One URL is all a client needs. The page *Set up a client* (`/settings/setup`) shows the same with your own URL;"
        " `doorward connect CLIENT` prints it and, with `--write`, puts it into the client's file.\n\n"
        "Which way to take: [which method should I use](../which-method.md). What happens afterwards:"
        " [the life of a token](../token-lifecycle.md). Words: [glossary](../glossary.md), [questions](../faq.md)."
        " What each client sends: [clients on the wire](../clients.md).\n"
    )
    return "\n".join(["# Connecting a client\n", note, says, *head, *rows]) + "\n"


def _methods(note: str) -> str:
    rows = [
        f"| {each.who} | {each.use if each.page is None else f'[{each.use}]({each.page})'} | {each.why} |"
        for each in guides.methods()
    ]
    says = (
        "Every way leads to the same URL and the same tools; what a person or service account may do is decided at each"
        " call. Several ways can be used side by side.\n"
    )
    head = ["| who connects | use | because |", "|---|---|---|"]
    end = "\nThe steps for each client: [connecting a client](clients/README.md)."
    return "\n".join(["# Which method should I use?\n", note, says, *head, *rows, end]) + "\n"


def _guide(guide: Guide, note: str) -> str:
    also = f" ({guide.also})" if guide.also else ""
    says = (
        f"{guide.name}{also}. Last verified {guide.last_verified}. {guide.source} `{EXAMPLE.url}` stands for your URL;"
        " the page *Set up a client* has it filled in.\n"
    )
    parts = [f"# {guide.name}\n", note, says]
    for way in WAYS:
        parts.append(f"## {TITLES[way]}\n")
        if way in guide.cannot:
            parts.append(f"{guide.cannot[way]}\n")
            continue
        link = filling.link(guide, EXAMPLE) if way == "oauth" else None
        if link is not None and guide.link is not None:
            parts.append(f"{guide.link.label} with one click:\n\n```text\n{link}\n```\n")
        parts += [_step(number, step) for number, step in enumerate(filling.steps(guide, way, EXAMPLE), 1)]
    check = f"{guide.check}\n\n```text\n{filling.text(guides.check_prompt(), EXAMPLE)}\n```\n"
    parts += ["## Check it\n", check, "## If it does not work\n", _troubles(guide)]
    for title, words in (("Connect again", guide.reconnect), ("Take it out", guide.remove)):
        parts += [f"## {title}\n", f"{filling.text(words, EXAMPLE)}\n"]
    return "\n".join(parts)


def _step(number: int, step: Step) -> str:
    text = f" {step.text}" if step.text else ""
    code = f"\n\n```{step.snippet.kind}\n{step.snippet.text}\n```" if step.snippet else ""
    return f"**{number}. {step.title}.**{text}{code}\n"


def _troubles(guide: Guide) -> str:
    rows = [f"| {each.sign} | {each.cause} | {each.fix} |" for each in filling.troubles(guide, EXAMPLE)]
    says = (
        "What an attempt came to is under *Connection attempts*, step by step ([when it fails](../when-it-fails.md)).\n"
    )
    return "\n".join([says, "| what you see | why | what to do |", "|---|---|---|", *rows]) + "\n"
