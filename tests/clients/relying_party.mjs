// usage: node relying_party.mjs ISSUER ID_TOKEN_ALG
// A relying party of the certified library openid-client: discovers, registers, signs somebody in, asks userinfo,
// refreshes, and says where to sign out. Prints "AUTHORIZE url" where a person must act, then one line "SAID {…}".
import http from "node:http";
import * as oidc from "openid-client";

const [issuer, algorithm] = process.argv.slice(2);
let deliver;
const answer = new Promise((resolve) => { deliver = resolve; });
const listener = http.createServer((request, response) => {
  response.end("ok");
  const url = new URL(request.url, `http://127.0.0.1:${listener.address().port}`);
  if (url.searchParams.has("code") || url.searchParams.has("error")) deliver(url);
});
await new Promise((resolve) => listener.listen(0, "127.0.0.1", resolve));
const redirectUri = `http://127.0.0.1:${listener.address().port}/callback`;

const config = await oidc.dynamicClientRegistration(
  new URL(issuer),
  {
    client_name: "Relying party",
    redirect_uris: [redirectUri],
    grant_types: ["authorization_code", "refresh_token"],
    post_logout_redirect_uris: [redirectUri],
    id_token_signed_response_alg: algorithm,
    token_endpoint_auth_method: "client_secret_post",
  },
  undefined,
  { execute: [oidc.allowInsecureRequests] },
);
oidc.enableNonRepudiationChecks(config); // Also checks the ID token's signature against the key set.

const verifier = oidc.randomPKCECodeVerifier();
const [state, nonce] = [oidc.randomState(), oidc.randomNonce()];
const url = oidc.buildAuthorizationUrl(config, {
  redirect_uri: redirectUri,
  scope: "openid email profile offline_access",
  code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
  code_challenge_method: "S256",
  max_age: "600",
  state,
  nonce,
});
console.log(`AUTHORIZE ${url.href}`);
const tokens = await oidc.authorizationCodeGrant(config, await answer, {
  pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, maxAge: 600, idTokenExpected: true,
});
const claims = tokens.claims();
const user = await oidc.fetchUserInfo(config, tokens.access_token, claims.sub);
const again = tokens.refresh_token ? await oidc.refreshTokenGrant(config, tokens.refresh_token) : undefined;
const header = JSON.parse(Buffer.from(tokens.id_token.split(".")[0], "base64url"));
const out = oidc.buildEndSessionUrl(config, { post_logout_redirect_uri: redirectUri, id_token_hint: tokens.id_token });
console.log(`SAID ${JSON.stringify({
  header, claims, user, refreshed: again?.claims()?.sub, authTime: again?.claims()?.auth_time, signOut: out.href,
})}`);
process.exit(0);
