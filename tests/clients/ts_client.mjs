// usage: node ts_client.mjs 1|2 MCP_URL [ERA]    environment: MCP_TOKEN for an API key
// The TypeScript SDK's own OAuth flow. Prints "AUTHORIZE url" where a person must act, then one line "TOOLS […]",
// and "CALL …" with the result of calling whoami; 2.x also prints "ERA revision".
import http from "node:http";
import crypto from "node:crypto";

const [generation, mcpUrl, era] = process.argv.slice(2);
const sdk = generation === "1"
  ? {
      ...(await import("@modelcontextprotocol/sdk/client/index.js")),
      ...(await import("@modelcontextprotocol/sdk/client/streamableHttp.js")),
      ...(await import("@modelcontextprotocol/sdk/client/auth.js")),
    }
  : await import("@modelcontextprotocol/client");

let deliver;
const answer = new Promise((resolve) => { deliver = resolve; });
const listener = http.createServer((request, response) => {
  const query = new URL(request.url, "http://x").searchParams;
  response.end("ok");
  if (query.has("code") || query.has("error")) deliver(query);
});
await new Promise((resolve) => listener.listen(0, "127.0.0.1", resolve));

const redirectUrl = `http://127.0.0.1:${listener.address().port}/callback`;
const state = crypto.randomBytes(16).toString("hex");
const kept = {};
const provider = {
  redirectUrl,
  state: () => state,
  clientMetadata: {
    client_name: `TypeScript SDK ${generation}`,
    redirect_uris: [redirectUrl],
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
  },
  clientInformation: () => kept.client,
  saveClientInformation: (client) => { kept.client = client; },
  tokens: () => kept.tokens,
  saveTokens: (tokens) => { kept.tokens = tokens; },
  redirectToAuthorization: (url) => { console.log(`AUTHORIZE ${url.href}`); },
  saveCodeVerifier: (verifier) => { kept.verifier = verifier; },
  codeVerifier: () => kept.verifier,
  discoveryState: () => kept.discovery,
  saveDiscoveryState: (discovery) => { kept.discovery = discovery; },
};

const key = process.env.MCP_TOKEN;
const options = generation === "2" && era ? { versionNegotiation: { mode: era } } : {};
const connect = async () => {
  const how = key ? { requestInit: { headers: { Authorization: `Bearer ${key}` } } } : { authProvider: provider };
  const transport = new sdk.StreamableHTTPClientTransport(new URL(mcpUrl), how);
  const client = new sdk.Client({ name: "typescript-client", version: "1" }, options);
  try {
    await client.connect(transport);
    return client;
  } catch (error) {
    const refused = error instanceof sdk.UnauthorizedError || /Unauthorized/i.test(`${error} ${error.cause}`);
    if (key || !refused || kept.tried) throw error;
    kept.tried = true;
    const got = await answer;
    if (got.get("state") !== state || !got.get("code")) throw new Error(`answer: ${got}`);
    await (generation === "2" ? transport.finishAuth(got) : transport.finishAuth(got.get("code")));
    return connect();
  }
};

try {
  const client = await connect();
  if (generation === "2") console.log(`ERA ${client.getNegotiatedProtocolVersion()}`);
  console.log(`TOOLS ${JSON.stringify((await client.listTools()).tools.map((tool) => tool.name))}`);
  console.log(`CALL ${JSON.stringify(await client.callTool({ name: "whoami", arguments: {} }))}`);
  await client.close();
  process.exit(0);
} catch (error) {
  console.log(`ERROR ${error?.stack ?? error}`);
  process.exit(1);
}
