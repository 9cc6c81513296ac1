"""Tools for documents, their history and the remarks on them."""

from typing import Annotated

from mcp.server.mcpserver import MCPServer
from pydantic import Field

from doorward.demo.harbour import hints, nodes, read
from doorward.demo.harbour.errors import ConflictError, NotFoundError
from doorward.demo.harbour.search import best
from doorward.demo.harbour.store import Change, Store
from doorward.demo.harbour.tools_tree import FolderId
from doorward.demo.harbour.views import (
    Comment,
    Comments,
    Deleted,
    Document,
    Documents,
    DocumentSummary,
    Hits,
    Key,
    Name,
    Text,
    Versions,
)
from doorward.sdk.caller import Caller, current_caller

DocumentId = Annotated[Key, Field(description="Id of a document, from list_documents or search_documents.")]
Body = Annotated[Text, Field(description="The text, in Markdown.")]


def save(change: Change, caller: Caller, key: str, body: str) -> None:
    """Add a version to a document; earlier ones are kept."""
    change.run(
        "INSERT INTO versions (document, number, body, author, at) SELECT :key, coalesce(max(number), 0) + 1, :body, "
        ":by, :now FROM versions WHERE document = :key",
        {"key": key, "body": body, "by": caller.name, "now": change.now},
    )


def register_reading(server: MCPServer, store: Store) -> None:
    """Add the tools that read documents."""

    @server.tool(title="List documents", annotations=hints.READS)
    async def list_documents(folder_id: FolderId) -> Documents:
        """List the documents that are directly in a folder."""
        caller = current_caller()
        caller.require("documents:read")
        nodes.node(store, caller, "folder", folder_id)
        found = nodes.nodes(store, caller, "document", parent=folder_id)
        return Documents(documents=[read.summary(store, row) for row in found])

    @server.tool(title="Read document", annotations=hints.READS)
    async def get_document(document_id: DocumentId) -> Document:
        """Read a document: its title, its text and who changed it last."""
        caller = current_caller()
        caller.require("documents:read")
        return read.document(store, nodes.node(store, caller, "document", document_id))

    @server.tool(title="Search documents", annotations=hints.READS)
    async def search_documents(
        query: Annotated[str, Field(min_length=2, max_length=200, description="Words that must all occur.")],
        limit: Annotated[int, Field(ge=1, le=50, description="How many results at most.")] = 10,
    ) -> Hits:
        """Find documents by words in their title or text, in everything you can see; titles count more."""
        caller = current_caller()
        caller.require("documents:read")
        found = [read.document(store, row) for row in nodes.nodes(store, caller, "document")]
        return Hits(query=query, hits=best(found, query, limit))

    @server.tool(title="Document history", annotations=hints.READS)
    async def document_history(document_id: DocumentId) -> Versions:
        """List the saved versions of a document, newest first."""
        caller = current_caller()
        caller.require("documents:read")
        nodes.node(store, caller, "document", document_id)
        return Versions(document_id=document_id, versions=read.versions(store, document_id))


def register_writing(server: MCPServer, store: Store) -> None:
    """Add the tools that change texts. None of them loses a text: every change is a new version."""

    @server.tool(title="Create document", annotations=hints.ADDS)
    async def create_document(
        folder_id: FolderId, title: Annotated[Name, Field(description="Title of the new document.")], body: Body = ""
    ) -> Document:
        """Write a new document in a folder."""
        caller = current_caller()
        caller.require("documents:write")
        async with store.change(caller.tenant or "") as change:
            parent = nodes.node(change, caller, "folder", folder_id)
            key = nodes.add(change, caller, "document", parent=parent, name=title)
            save(change, caller, key, body)
        return read.document(store, nodes.node(store, caller, "document", key))

    @server.tool(title="Update document", annotations=hints.ADDS)
    async def update_document(
        document_id: DocumentId,
        body: Body,
        based_on_version: Annotated[
            int | None, Field(ge=1, description="The version you read. If somebody saved since, nothing is changed.")
        ] = None,
    ) -> Document:
        """Replace the text of a document. The earlier text stays in its history."""
        caller = current_caller()
        caller.require("documents:write")
        async with store.change(caller.tenant or "") as change:
            last = read.summary(change, nodes.node(change, caller, "document", document_id))
            if based_on_version not in {None, last.version}:
                message = f"{last.updated_by} saved version {last.version} meanwhile. Read it and try again."
                raise ConflictError(message)
            save(change, caller, document_id, body)
        return read.document(store, nodes.node(store, caller, "document", document_id))

    @server.tool(title="Append to document", annotations=hints.ADDS)
    async def append_to_document(document_id: DocumentId, text: Body) -> Document:
        """Add text at the end of a document, as a paragraph of its own."""
        caller = current_caller()
        caller.require("documents:write")
        async with store.change(caller.tenant or "") as change:
            before = read.document(change, nodes.node(change, caller, "document", document_id))
            save(change, caller, document_id, f"{before.body.rstrip()}\n\n{text}".lstrip())
        return read.document(store, nodes.node(store, caller, "document", document_id))

    @server.tool(title="Restore document version", annotations=hints.ADDS)
    async def restore_document(
        document_id: DocumentId, version: Annotated[int, Field(ge=1, description="A number from document_history.")]
    ) -> Document:
        """Make an earlier version the current text again, as a new version."""
        caller = current_caller()
        caller.require("documents:write")
        async with store.change(caller.tenant or "") as change:
            nodes.node(change, caller, "document", document_id)
            old = change.first(
                "SELECT body FROM versions WHERE document = :key AND number = :number",
                {"key": document_id, "number": version},
            )
            if old is None:
                kind = "version"
                raise NotFoundError(kind, str(version))
            save(change, caller, document_id, old["body"])
        return read.document(store, nodes.node(store, caller, "document", document_id))


def register_arranging(server: MCPServer, store: Store) -> None:
    """Add the tools that rename, move and delete documents."""

    @server.tool(title="Rename document", annotations=hints.SETS)
    async def rename_document(
        document_id: DocumentId, title: Annotated[Name, Field(description="The new title.")]
    ) -> DocumentSummary:
        """Give a document another title."""
        caller = current_caller()
        caller.require("documents:write")
        async with store.change(caller.tenant or "") as change:
            nodes.rename(change, nodes.node(change, caller, "document", document_id), title)
        return read.summary(store, nodes.node(store, caller, "document", document_id))

    @server.tool(title="Move document", annotations=hints.SETS)
    async def move_document(
        document_id: DocumentId,
        into_folder_id: Annotated[Key, Field(description="Folder of the same project that it moves into.")],
    ) -> DocumentSummary:
        """Move a document into another folder of the same project."""
        caller = current_caller()
        caller.require("documents:write")
        async with store.change(caller.tenant or "") as change:
            row = nodes.node(change, caller, "document", document_id)
            nodes.move(change, row, nodes.node(change, caller, "folder", into_folder_id))
        return read.summary(store, nodes.node(store, caller, "document", document_id))

    @server.tool(title="Delete document", annotations=hints.DELETES)
    async def delete_document(document_id: DocumentId) -> Deleted:
        """Delete a document with its history and the remarks on it. This cannot be undone."""
        caller = current_caller()
        caller.require("documents:delete")
        async with store.change(caller.tenant or "") as change:
            count = nodes.delete(change, nodes.node(change, caller, "document", document_id))
        return Deleted(id=document_id, nodes=count)


def register_comments(server: MCPServer, store: Store) -> None:
    """Add the tools for remarks on documents."""

    @server.tool(title="List comments", annotations=hints.READS)
    async def list_comments(document_id: DocumentId) -> Comments:
        """List the remarks on a document, oldest first."""
        caller = current_caller()
        caller.require("documents:read")
        nodes.node(store, caller, "document", document_id)
        return Comments(comments=read.comments(store, document_id))

    @server.tool(title="Comment on document", annotations=hints.ADDS)
    async def add_comment(
        document_id: DocumentId,
        body: Annotated[str, Field(min_length=1, max_length=4000, description="What you want to say.")],
    ) -> Comment:
        """Leave a remark on a document; its text does not change."""
        caller = current_caller()
        caller.require("comments:write")
        async with store.change(caller.tenant or "") as change:
            nodes.node(change, caller, "document", document_id)
            key = change.new_id("cmt")
            change.run(
                "INSERT INTO comments (id, document, body, author, at) VALUES (:key, :document, :body, :by, :now)",
                {"key": key, "document": document_id, "body": body, "by": caller.name, "now": change.now},
            )
        return read.comment(store.all("SELECT * FROM comments WHERE id = :key", {"key": key})[0])
