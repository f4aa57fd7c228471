// A person with a browser: signs in and allows whatever pages ask for. It keeps its cookies by itself, since no jar sends
// Secure cookies over http, which browsers do for this machine.
const username = process.env.CLIENTTEST_USERNAME;
const password = process.env.CLIENTTEST_PASSWORD;

export class Browser {
  #cookies = new Map();

  /** The pages that the person saw, by path. */
  shown = [];

  /** What the person answers on the consent page. */
  decision = "allow";

  /** Goes where links and forms lead until it is sent to an address that begins with `until`, and gives that address. */
  async visit(address, until) {
    let request = { url: new URL(address) };
    for (let steps = 0; steps < 12; steps++) {
      const answer = await this.#send(request);
      const location = answer.headers.get("location");
      if (location !== null) {
        const url = new URL(location, request.url);
        if (url.href.startsWith(until)) return url;
        request = { url };
        continue;
      }
      this.shown.push(request.url.pathname);
      const page = await answer.text();
      const next = this.#fillIn(request.url, page);
      if (!next) throw new Error(`${request.url} answered ${answer.status} and leads no further:\n${page}`);
      if (next.url.href.startsWith(until)) return Object.assign(next.url, { form: next.form });
      request = next;
    }
    throw new Error(`${address} leads nowhere; the pages on the way: ${this.shown}`);
  }

  async #send({ url, form }) {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const answer = await fetch(url, {
      redirect: "manual",
      method: form ? "POST" : "GET",
      body: form,
      headers: { ...(cookie && { cookie }), ...(form && { origin: url.origin }) },
    });
    for (const line of answer.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      if (/;\s*max-age=(0|-\d+)/i.test(line)) this.#cookies.delete(name);
      else this.#cookies.set(name, value);
    }
    return answer;
  }

  /** Answers the form of a login, consent or form_post page. */
  #fillIn(url, page) {
    for (const [, tag, content] of page.matchAll(/<form\b([^>]*)>(.*?)<\/form>/gs)) {
      const fields = [...content.matchAll(/<(?:input|button)\b([^>]*)>/gs)].map(([, attributes]) => attributes);
      const form = new URLSearchParams(fields.filter((field) => attribute(field, "type") === "hidden")
        .map((field) => [attribute(field, "name"), attribute(field, "value") ?? ""]));
      const has = (name) => fields.some((field) => attribute(field, "name") === name);
      if (has("password")) {
        form.set("username", username);
        form.set("password", password);
      } else if (has("decision")) form.set("decision", this.decision);
      else if (!has("code")) continue;
      return { url: new URL(attribute(tag, "action"), url), form };
    }
  }
}

function attribute(tag, name) {
  return new RegExp(`\\b${name}="([^"]*)"`).exec(tag)?.[1]
    .replace(/&#(\d+);/g, (_, code) => String.fromCodePoint(code))
    .replace(/&(quot|lt|gt|amp);/g, (_, entity) => ({ quot: '"', lt: "<", gt: ">", amp: "&" })[entity]);
}
