// A Model Context Protocol server that takes Latchkey's tokens, and an agent that has never been here before.
import { once } from "node:events";
import { UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { InvalidTokenError } from "@modelcontextprotocol/sdk/server/auth/errors.js";
import { requireBearerAuth } from "@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js";
import { createMcpExpressApp } from "@modelcontextprotocol/sdk/server/express.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { Browser } from "./browser.js";
import { issuer } from "./latchkey.js";

/** Runs an MCP server until the test ends. describe gives the address of its RFC 9728 document, or null when it serves one itself. */
export async function startServer(t, { describe = async () => null, scopes = [] } = {}) {
  const app = createMcpExpressApp();
  const listener = app.listen(0, "127.0.0.1");
  await once(listener, "listening");
  t.after(() => { listener.closeAllConnections(); listener.close(); });
  const origin = `http://127.0.0.1:${listener.address().port}`;
  const url = `${origin}/mcp`;
  const own = `${origin}/.well-known/oauth-protected-resource/mcp`;
  const guard = requireBearerAuth({
    verifier: { verifyAccessToken: (token) => verify(token, url) },
    resourceMetadataUrl: (await describe(url)) ?? own,
    requiredScopes: scopes,
  });
  app.get(new URL(own).pathname, (_, answer) => answer.json({ resource: url, authorization_servers: [issuer], scopes_supported: scopes }));
  app.post("/mcp", guard, serve);
  // No stream from here to the client, as the transport's specification allows.
  app.all("/mcp", guard, (_, answer) => answer.status(405).end());
  return url;
}

const keys = createRemoteJWKSet(new URL(`${issuer}/oauth2/jwks`));

/** The check of an access token (RFC 9068 §4): signature, type, issuer, and that it is for this server. */
async function verify(token, resource) {
  const { payload } = await jwtVerify(token, keys, { issuer, audience: resource, typ: "at+jwt" })
    .catch((e) => { throw new InvalidTokenError(e.message); });
  return { token, clientId: payload.client_id, scopes: payload.scope?.split(" ") ?? [], expiresAt: payload.exp, extra: { subject: payload.sub } };
}

async function serve(request, answer) {
  const server = new McpServer({ name: "greeter", version: "1" });
  server.registerTool("whoami", { description: "Says who calls." }, ({ authInfo }) => ({
    content: [{ type: "text", text: JSON.stringify({ subject: authInfo.extra.subject, client: authInfo.clientId, scopes: authInfo.scopes }) }],
  }));
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
  answer.on("close", () => { transport.close(); server.close(); });
  await server.connect(transport);
  await transport.handleRequest(request, answer, request.body);
}

/** What an agent keeps, as the SDK wants it; in memory. */
export class Agent {
  redirectUrl = "http://127.0.0.1:41234/callback";
  clientMetadata = {
    client_name: "An agent",
    redirect_uris: [this.redirectUrl],
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    token_endpoint_auth_method: "none",
  };
  person = new Browser();

  constructor({ clientMetadataUrl, clientMetadata } = {}) {
    this.clientMetadataUrl = clientMetadataUrl;
    Object.assign(this.clientMetadata, clientMetadata);
  }

  clientInformation() { return this.information; }
  saveClientInformation(information) { this.information = information; }
  tokens() { return this.kept; }
  saveTokens(tokens) { this.kept = tokens; }
  redirectToAuthorization(url) { this.address = url; }
  saveCodeVerifier(verifier) { this.verifier = verifier; }
  codeVerifier() { return this.verifier; }
  invalidateCredentials(scope) {
    if (scope === "all" || scope === "tokens") this.kept = undefined;
    if (scope === "all" || scope === "client") this.information = undefined;
  }

  /** Connects to an MCP server of which only the URL is known; the person allows what is asked. */
  async connect(url) {
    const transport = new StreamableHTTPClientTransport(new URL(url), { authProvider: this });
    const client = new Client({ name: "agent", version: "1" });
    try {
      await client.connect(transport);
      return client;
    } catch (e) {
      if (!(e instanceof UnauthorizedError)) throw e;
    }
    const answer = await this.person.visit(this.address, this.redirectUrl);
    await transport.finishAuth(answer.searchParams.get("code"));
    return this.connect(url);
  }
}

/** What the server says of who calls. */
export async function whoami(client) {
  const { content } = await client.callTool({ name: "whoami" });
  return JSON.parse(content[0].text);
}
