// usage: node fuzzed_server.mjs    An MCP server of both eras, built with the official TypeScript SDK, for the fuzz.
// Prints its URL, and then, before it answers, one line of JSON for each thing that it was made to do.
import { writeSync } from "node:fs";
import http from "node:http";
import { completable, createMcpHandler, McpServer, ResourceTemplate } from "@modelcontextprotocol/server";
import { z } from "zod";

const note = (name, ...about) => writeSync(1, `${JSON.stringify([name, about.map(String)])}\n`);
const done = { content: [{ type: "text", text: "done" }] };
const said = { messages: [{ role: "user", content: { type: "text", text: "done" } }] };
const tool = (server, name, shape, about = () => []) => server.registerTool(name, { inputSchema: z.object(shape) }, async (args) => {
  note(name, ...about(args));
  return done;
});
const resource = (server, name, uri, about = () => []) => server.registerResource(name, uri, {}, async (asked, variables) => {
  note(name, ...about(variables));
  return { contents: [{ uri: asked.href, text: "done" }] };
});
const prompt = (server, name) => server.registerPrompt(name, { argsSchema: z.object({ a: completable(z.string().optional(), () => {
  note(name);
  return [];
}) }) }, async () => {
  note(name);
  return said;
});

const furnished = () => {
  const server = new McpServer({ name: "fuzzed", version: "1" });
  tool(server, "echo", { text: z.string().optional() });
  tool(server, "drop_db", {});
  tool(server, "write_note", { folder: z.string() }, (args) => [args.folder]);
  tool(server, "write_many", { folders: z.array(z.string()) }, (args) => args.folders);
  resource(server, "mem://open", "mem://open");
  resource(server, "mem://secret", "mem://secret");
  resource(server, "mem://docs", new ResourceTemplate("mem://docs/{document}", { list: undefined }), (found) => [found.document]);
  resource(server, "mem://vault", new ResourceTemplate("mem://vault/{item}", { list: undefined }), (found) => [found.item]);
  prompt(server, "p_open");
  prompt(server, "p_secret");
  return server;
};

const handler = createMcpHandler(furnished);
const server = http.createServer(async (incoming, outgoing) => {
  const chunks = [];
  for await (const chunk of incoming) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  const answer = await handler.fetch(new Request(`http://127.0.0.1${incoming.url}`, {
    method: incoming.method, headers: incoming.headers, body: body.length ? body : undefined,
  }));
  outgoing.writeHead(answer.status, Object.fromEntries(answer.headers));
  outgoing.end(Buffer.from(await answer.arrayBuffer()));
});
server.listen(0, "127.0.0.1", () => writeSync(1, `http://127.0.0.1:${server.address().port}/mcp\n`));
