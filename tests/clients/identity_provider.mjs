// usage: node identity_provider.mjs PORT ISSUER REDIRECT_URI
// An identity provider of the certified library oidc-provider behind TLS: one confidential client, "doorward". Whoever
// signs in is who they type, with a verified address. Prints "READY".
import http from "node:http";
import Provider from "oidc-provider";

const [port, issuer, redirectUri] = process.argv.slice(2);
const provider = new Provider(issuer, {
  clients: [{ client_id: "doorward", client_secret: "a secret of this test alone", redirect_uris: [redirectUri] }],
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
  findAccount: async (_, id) => ({
    accountId: id,
    claims: async () => ({ sub: id, email: id, email_verified: true, name: "Erin Example" }),
  }),
});
provider.proxy = true;
const handle = provider.callback();
http
  .createServer((request, response) => {
    request.headers["x-forwarded-proto"] = "https"; // TLS ends in front of us.
    handle(request, response);
  })
  .listen(Number(port), "127.0.0.1", () => console.log("READY"));
