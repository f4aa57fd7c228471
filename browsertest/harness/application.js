// A confidential or native application: the other end of the authorization code flow, written by hand so that tests can send
// what no library would.
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";

export class Application {
  /** Answers that arrived at the redirect URI, oldest first. */
  #answers = [];
  #waiting = [];

  /**
   * Registers an application and listens at its redirect URI. With a secret it is known to be who it says it is, so that
   * what the user allows it is remembered even though it is on this computer.
   */
  static async start(t, latchkey, { name = "Example Application", flags = {} } = {}) {
    const app = new Application();
    app.latchkey = latchkey;
    const server = createServer((request, response) => app.#serve(request, response)).listen(0, "127.0.0.1");
    await once(server, "listening");
    t.after(() => { server.closeAllConnections(); server.close(); });
    app.origin = `http://127.0.0.1:${server.address().port}`;
    app.redirectURI = `${app.origin}/callback`;
    app.registered = await latchkey.addClient({
      "client-name": name,
      "redirect-uri": app.redirectURI,
      "post-logout-redirect-uri": `${app.origin}/goodbye`,
      "grant-type": ["authorization_code", "refresh_token"],
      scope: "openid profile email offline_access",
      "token-endpoint-auth-method": "client_secret_post",
      ...flags,
    });
    app.id = app.registered.client_id;
    return app;
  }

  async #serve(request, response) {
    const url = new URL(request.url, this.origin);
    let body = "";
    for await (const chunk of request) body += chunk;
    if (url.pathname === "/callback") {
      const answer = Object.fromEntries(request.method === "POST" ? new URLSearchParams(body) : url.searchParams);
      const given = { method: request.method, ...answer };
      const waiting = this.#waiting.shift();
      if (waiting) waiting(given); else this.#answers.push(given);
    }
    response.setHeader("Content-Type", "text/html; charset=utf-8");
    response.end(`<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>The application</title><p>at ${url.pathname}`);
  }

  /** The answer to the authorization request, once it has arrived. */
  async answer() {
    if (this.#answers.length > 0) return this.#answers.shift();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no answer arrived at ${this.redirectURI}`)), 30_000);
      this.#waiting.push((given) => { clearTimeout(timer); resolve(given); });
    });
  }

  /** The address that begins a login; parameters are added, and left out when undefined. */
  authorizeURL(more = {}) {
    this.verifier = randomBytes(32).toString("base64url");
    const parameters = {
      response_type: "code",
      client_id: this.id,
      redirect_uri: this.redirectURI,
      scope: "openid profile email",
      state: "the state",
      nonce: "the nonce",
      code_challenge: createHash("sha256").update(this.verifier).digest("base64url"),
      code_challenge_method: "S256",
      ...more,
    };
    const given = Object.entries(parameters).filter(([, value]) => value !== undefined);
    return this.latchkey.url(`/oauth2/authorize?${new URLSearchParams(given)}`);
  }

  /** Exchanges a code. */
  async exchange(code) {
    const answer = await this.token({ grant_type: "authorization_code", code, redirect_uri: this.redirectURI, code_verifier: this.verifier });
    if (answer.status !== 200) throw new Error(`exchange: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  refresh(refreshToken) {
    return this.token({ grant_type: "refresh_token", refresh_token: refreshToken });
  }

  /** Asks the token endpoint, as this client. */
  async token(form) {
    const body = new URLSearchParams({ client_id: this.id, ...form });
    if (this.registered.client_secret) body.set("client_secret", this.registered.client_secret);
    const answer = await fetch(this.latchkey.url("/oauth2/token"), { method: "POST", body });
    return { status: answer.status, body: await answer.json() };
  }
}

/** The claims of an ID token. */
export function claims(idToken) {
  return JSON.parse(Buffer.from(idToken.split(".")[1], "base64url").toString());
}
