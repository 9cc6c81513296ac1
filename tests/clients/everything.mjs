// usage: node everything.mjs http MCP_URL | stdio COMMAND [ARGUMENT…]    environment: MCP_TOKEN for a bearer
// The official TypeScript client uses every feature of the official `everything` server, and prints one JSON object:
// "steps", what each use gave; "asked", what the server asked of this client; "heard", what it told unasked.
// What differs between two runs by nature (ids, times) is replaced, so that two transcripts can be compared.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { InMemoryTaskMessageQueue, InMemoryTaskStore } from "@modelcontextprotocol/sdk/experimental/tasks";
import * as types from "@modelcontextprotocol/sdk/types.js";

const [how, ...where] = process.argv.slice(2);
const plainly = how === "stdio" || process.env.WITHOUT_TASKS;
const steps = {}, asked = {}, heard = [], ids = new Map();
let roots = [{ uri: "file:///one", name: "one" }];

const named = (value) => {
  if (Array.isArray(value)) value.forEach(named);
  else if (value && typeof value === "object") {
    for (const [key, inner] of Object.entries(value)) {
      if (key === "taskId" && typeof inner === "string" && !ids.has(inner)) ids.set(inner, "<task>");
      named(inner);
    }
  }
  return value;
};
const note = (kind, value) => { (asked[kind] ??= []).push(named(structuredClone(value))); };
const until = async (what, seconds = 10) => {
  for (const end = Date.now() + seconds * 1000; !what(); await new Promise((wake) => setTimeout(wake, 10))) {
    if (Date.now() > end) throw new Error(`nothing came: ${what}`);
  }
};
const came = (method, from) => heard.slice(from).filter((message) => message.method === method);
const step = async (name, action) => {
  try {
    steps[name] = named(structuredClone((await action()) ?? null));
  } catch (error) {
    steps[name] = { error: error.code ?? error.name, message: error.message, data: error.data ?? null };
  }
  return steps[name];
};
const call = (name, args = {}, options) => client.callTool({ name, arguments: args }, undefined, options);

const token = process.env.MCP_TOKEN;
const connected = async (withTasks) => {
  const wanted = withTasks
    ? { tasks: { list: {}, cancel: {}, requests: { sampling: { createMessage: {} }, elicitation: { create: {} } } } }
    : {};
  const capabilities = {
    roots: { listChanged: true }, sampling: { context: {}, tools: {} }, elicitation: { form: {}, url: {} }, ...wanted,
  };
  const store = withTasks ? { taskStore: new InMemoryTaskStore(), taskMessageQueue: new InMemoryTaskMessageQueue() } : {};
  const client = new Client({ name: "everything-client", version: "1" }, { capabilities, ...store });
  const transport = how === "stdio"
    ? new StdioClientTransport({ command: where[0], args: where.slice(1), stderr: "ignore" })
    : new StreamableHTTPClientTransport(
      new URL(where[0]), token ? { requestInit: { headers: { Authorization: `Bearer ${token}` } } } : {});
  answers(client);
  await client.connect(transport);
  return { client, transport };
};

// What a client answers at once, and, where it is asked for a task, what it answers later.
const answering = (client, kind, schema, result) => client.setRequestHandler(schema, async (request, extra) => {
  note(kind, { ...request.params, _meta: undefined });
  if (!request.params.task || !extra.taskStore) return result;
  const task = await extra.taskStore.createTask({ ttl: 60_000, pollInterval: 100 });
  setTimeout(() => extra.taskStore.storeTaskResult(task.taskId, "completed", result), 100);
  return { task };
});
const answers = (client) => {
  answering(client, "sampling", types.CreateMessageRequestSchema, {
    role: "assistant", model: "test", stopReason: "endTurn", content: { type: "text", text: "sampled" },
  });
  answering(client, "elicitation", types.ElicitRequestSchema, {
    action: "accept", content: { name: "Ada", check: true, interpretation: "technical", favoriteColor: "Blue" },
  });
  client.setRequestHandler(types.ListRootsRequestSchema, async () => {
    note("roots", {});
    return { roots };
  });
  client.fallbackNotificationHandler = async (message) => { heard.push(named({ method: message.method, params: message.params })); };
};

const { client, transport } = await connected(!plainly);
const pages = async (list, member) => {
  const items = [];
  for (let cursor; ;) {
    const page = await list(cursor ? { cursor } : {});
    items.push(...page[member]);
    if (!(cursor = page.nextCursor)) return items;
  }
};

await step("described", () => ({
  server: client.getServerVersion(), capabilities: client.getServerCapabilities(), instructions: client.getInstructions(),
  revision: how === "http" ? transport.protocolVersion : undefined,
}));
await step("ping", () => client.ping());
// The server asks for the roots by itself, a moment after the handshake.
await until(() => asked.roots);
await until(() => came("notifications/message").length > 0);
await step("tools", () => pages((page) => client.listTools(page), "tools"));
await step("prompts", () => pages((page) => client.listPrompts(page), "prompts"));
await step("resources", () => pages((page) => client.listResources(page), "resources"));
await step("templates", () => pages((page) => client.listResourceTemplates(page), "resourceTemplates"));
await step("level", () => client.setLoggingLevel("debug"));

// A second client: one that keeps tasks itself takes what is asked within a task for one of its own (SDK 1.32).
const other = await connected(false);
const research = async (name, args, stop) => step(name, async () => {
  const { client } = other, seen = [];
  await client.listTools();
  const stream = client.experimental.tasks.callToolStream({ name: "simulate-research-query", arguments: args });
  for await (const message of stream) {
    if (message.type === "taskCreated") ids.set(message.task.taskId, `<task of ${name}>`);
    // How often which status was seen is a matter of time.
    if (message.type !== "taskStatus") seen.push(message);
    if (message.type === "taskCreated" && stop) {
      const { taskId } = message.task;
      const got = await client.experimental.tasks.getTask(taskId);
      const listed = (await client.experimental.tasks.listTasks()).tasks.filter((one) => one.taskId === taskId);
      const stopped = await client.experimental.tasks.cancelTask(taskId);
      const after = await client.experimental.tasks.getTask(taskId);
      const again = await client.experimental.tasks.cancelTask(taskId).catch((error) => error.message);
      const none = await client.experimental.tasks.getTaskResult(taskId).catch((error) => error.message);
      // The text has the id that the server itself knows the task by.
      const result = none.replace(/Task \S+/, "Task <id>");
      return { got: got.status, listed: listed.length, stopped: stopped.status, after: after.status, again, result };
    }
  }
  return seen;
});
const long = Promise.all([
  research("research", { topic: "doors" }),
  research("ambiguous research", { topic: "python", ambiguous: true }),
  research("stopped research", { topic: "nothing" }, true),
]);

await step("echo", () => call("echo", { message: "hello \u2028 \ud83d\ude80" }));
await step("echo without its argument", () => call("echo"));
await step("echo with a number", () => call("echo", { message: 7 }));
for (const messageType of ["error", "success", "debug"]) {
  await step(`annotated ${messageType}`, () => call("get-annotated-message", { messageType, includeImage: true }));
}
await step("links", () => call("get-resource-links", { count: 4 }));
await step("text reference", () => call("get-resource-reference", { resourceType: "Text", resourceId: 2 }));
await step("blob reference", () => call("get-resource-reference", { resourceType: "Blob", resourceId: 3 }));
await step("wrong reference", () => call("get-resource-reference", { resourceType: "Text", resourceId: -3 }));
await step("structured", () => call("get-structured-content", { location: "Chicago" }));
await step("sum", () => call("get-sum", { a: 2, b: 0.5 }));
await step("image", () => call("get-tiny-image"));
await step("environment", async () => typeof JSON.parse((await call("get-env")).content[0].text));
await step("roots", () => call("get-roots-list"));
await step("sampling", () => call("trigger-sampling-request", { prompt: "say", maxTokens: 5 }));
await step("elicitation", () => call("trigger-elicitation-request"));
await step("url elicitation", () => call("trigger-url-elicitation", { url: "https://example.com/", elicitationId: "e1" }));
await step("url elicitation by error", () => call("trigger-url-elicitation", { url: "https://example.com/", errorPath: true }));
const later = plainly ? [] : [
  step("sampling as a task", () => call("trigger-sampling-request-async", { prompt: "later" })),
  step("elicitation as a task", () => call("trigger-elicitation-request-async")),
];
await step("progress", async () => {
  const progress = [];
  const result = await call("trigger-long-running-operation", { duration: 0.3, steps: 3 }, { onprogress: (one) => progress.push(one) });
  // The last one may come together with the result, and is then too late for the client (SDK 1.32).
  return { result, progress: progress.slice(0, 2) };
});
await step("cancelled", async () => {
  const controller = new AbortController();
  return call("trigger-long-running-operation", { duration: 30, steps: 300 }, {
    onprogress: () => controller.abort("enough"), signal: controller.signal,
  });
});
await step("a link to a file made by a call", async () => {
  const from = heard.length;
  const made = await call("gzip-file-as-resource", { name: "made.gz", data: "data:text/plain,hello", outputType: "resourceLink" });
  const read = await client.readResource({ uri: made.content[0].uri });
  await until(() => came("notifications/resources/list_changed", from).length > 0);
  const listed = (await pages((page) => client.listResources(page), "resources")).filter((one) => one.uri === made.content[0].uri);
  return { made, read, listed };
});
await step("a file made by a call", () => call("gzip-file-as-resource", { name: "x", data: "data:text/plain,hi", outputType: "resource" }));
for (const { uri } of steps.resources) await step(`read ${uri}`, () => client.readResource({ uri }));
for (const uri of ["demo://resource/dynamic/text/7", "demo://resource/dynamic/blob/8", "demo://resource/dynamic/text/none"]) {
  await step(`read ${uri}`, () => client.readResource({ uri }));
}
await step("subscription", async () => {
  const uri = "demo://resource/dynamic/text/1", from = heard.length;
  await client.subscribeResource({ uri });
  await call("toggle-subscriber-updates");
  await until(() => came("notifications/resources/updated", from).length > 0);
  const told = came("notifications/resources/updated", from)[0];
  const stopped = await call("toggle-subscriber-updates");
  return { told, stopped, unsubscribed: await client.unsubscribeResource({ uri }) };
});
await step("logging", async () => {
  const from = heard.length;
  const level = /^(Debug|Info|Notice|Warning|Error|Critical|Alert|Emergency)[ -]level[ -]message/;
  await call("toggle-simulated-logging");
  await until(() => came("notifications/message", from).some((one) => level.test(one.params.data)));
  return call("toggle-simulated-logging");
});
await step("simple prompt", () => client.getPrompt({ name: "simple-prompt" }));
await step("prompt with arguments", () => client.getPrompt({ name: "args-prompt", arguments: { city: "Oslo", state: "there" } }));
await step("prompt without its argument", () => client.getPrompt({ name: "args-prompt" }));
await step("prompt that completes", () => client.getPrompt({ name: "completable-prompt", arguments: { department: "Sales", name: "Eve" } }));
await step("prompt with a resource", () => client.getPrompt({ name: "resource-prompt", arguments: { resourceType: "Text", resourceId: "4" } }));
const prompt = { type: "ref/prompt", name: "completable-prompt" };
await step("completion of a prompt", () => client.complete({ ref: prompt, argument: { name: "department", value: "S" } }));
await step("completion that depends", () => client.complete({
  ref: prompt, argument: { name: "name", value: "" }, context: { arguments: { department: "Support" } },
}));
await step("completion of a template", () => client.complete({
  ref: { type: "ref/resource", uri: "demo://resource/dynamic/text/{resourceId}" }, argument: { name: "resourceId", value: "5" },
}));
await step("changed roots", async () => {
  const from = heard.length;
  roots = [...roots, { uri: "file:///two", name: "two" }];
  await client.sendRootsListChanged();
  await until(() => came("notifications/message", from).some((one) => /2 root/.test(one.params.data)));
  return call("get-roots-list");
});
await Promise.all([long, ...later]);
if (how === "http") {
  await step("end", async () => {
    const had = transport.sessionId;
    await transport.terminateSession();
    return { had: had !== undefined, now: transport.sessionId ?? null };
  });
}
await Promise.all([client.close(), other.client.close()]);

// How often something was said, and which of the random levels, differs by nature.
const blob = (text) => /created at/.test(Buffer.from(text, "base64").toString()) ? Buffer.from(text, "base64").toString() : text;
const clean = (text) => {
  let plain = text;
  for (const [id, name] of ids) plain = plain.replaceAll(id, name);
  return plain
    .replace(/\d+:\d\d:\d\d [AP]M/g, "<time>")
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "<time>")
    .replace(/\b[0-9a-f]{32}\b/g, "<id>")
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, "<id>");
};
const deep = (value, key) => {
  if (typeof value === "string") return clean(key === "blob" ? blob(value) : value);
  if (Array.isArray(value)) return value.map((item) => deep(item));
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, deep(inner, name)]));
  }
  return value;
};
const unique = (items) => [...new Set(items.map((item) => clean(JSON.stringify(item))))].sort();
const seen = JSON.stringify({
  steps: deep(steps), asked: Object.fromEntries(Object.entries(asked).map(([kind, all]) => [kind, unique(all)])),
  heard: unique(heard.filter((one) => !/level[ -]message/i.test(one.params?.data ?? ""))),
});
process.stdout.write(seen, () => process.exit(0));
