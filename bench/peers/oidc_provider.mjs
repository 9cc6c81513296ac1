// npm oidc-provider over a plain Map. FORM is the form of its access tokens: jwt (ES256) or opaque.
// Its built-in memory adapter keeps 1000 entries and would lose sessions under load.
import { generateKeyPairSync } from 'node:crypto';
import Provider from 'oidc-provider';

const { PORT, FORM, SECRET } = process.env;
const scope = 'bench:read bench:write';
const resource = 'http://127.0.0.1/mcp';
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

const rows = new Map();
const grants = new Map();
const uids = new Map();

class Adapter {
  constructor(kind) { this.kind = kind; }
  key(id) { return `${this.kind}:${id}`; }
  async upsert(id, payload) {
    rows.set(this.key(id), payload);
    if (payload.uid) uids.set(payload.uid, id);
    if (payload.grantId) {
      const known = grants.get(payload.grantId);
      if (known) known.push(this.key(id)); else grants.set(payload.grantId, [this.key(id)]);
    }
  }
  async find(id) { return rows.get(this.key(id)); }
  async findByUid(uid) { return rows.get(this.key(uids.get(uid))); }
  async destroy(id) { rows.delete(this.key(id)); }
  async consume(id) { rows.get(this.key(id)).consumed = Math.floor(Date.now() / 1000); }
  async revokeByGrantId(id) {
    for (const key of grants.get(id) ?? []) rows.delete(key);
    grants.delete(id);
  }
}

new Provider(`http://127.0.0.1:${PORT}`, {
  adapter: Adapter,
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'ES256', kid: 'bench' }] },
  clients: [
    { client_id: 'svc', client_secret: SECRET, grant_types: ['client_credentials'], redirect_uris: [], response_types: [],
      scope, token_endpoint_auth_method: 'client_secret_basic', id_token_signed_response_alg: 'ES256' },
    { client_id: 'app', token_endpoint_auth_method: 'none', grant_types: ['authorization_code', 'refresh_token'],
      redirect_uris: ['https://client.example/cb'], response_types: ['code'], id_token_signed_response_alg: 'ES256' },
  ],
  scopes: ['openid', 'offline_access', 'bench:read', 'bench:write'],
  cookies: { keys: ['bench'] },
  pkce: { required: () => true },
  rotateRefreshToken: true,
  issueRefreshToken: async () => true,
  findAccount: async (_context, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
  features: {
    devInteractions: { enabled: true },
    clientCredentials: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => resource,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope, audience: resource, accessTokenTTL: 3600, accessTokenFormat: FORM, jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
}).listen(Number(PORT), '127.0.0.1');
