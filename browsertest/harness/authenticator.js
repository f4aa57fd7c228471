// Authenticators: Chromium's virtual one for passkeys, and an app that shows codes (TOTP).
import { setTimeout } from "node:timers/promises";
import { createHmac } from "node:crypto";
import { submit } from "./people.js";

/** Gives the page an authenticator that verifies its user, as a laptop with a fingerprint reader does. */
export class Authenticator {
  static async add(page) {
    const authenticator = new Authenticator();
    authenticator.session = await page.context().newCDPSession(page);
    await authenticator.send("WebAuthn.enable", { enableUI: false });
    const options = {
      protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true,
      automaticPresenceSimulation: true,
    };
    ({ authenticatorId: authenticator.id } = await authenticator.send("WebAuthn.addVirtualAuthenticator", { options }));
    return authenticator;
  }

  send(method, parameters) {
    return this.session.send(method, parameters);
  }

  /** Answers every question by itself, or none: then a page that asks waits. */
  answers(enabled) {
    return this.send("WebAuthn.setAutomaticPresenceSimulation", { authenticatorId: this.id, enabled });
  }

  /** Finds its user, or doesn't: another finger. */
  knowsUser(isUserVerified) {
    return this.send("WebAuthn.setUserVerified", { authenticatorId: this.id, isUserVerified });
  }

  async credentials() {
    return (await this.send("WebAuthn.getCredentials", { authenticatorId: this.id })).credentials;
  }
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** The code of an app with this secret, so many steps from now (RFC 6238). */
export function totp(secret, steps = 0) {
  let bits = "";
  for (const letter of secret.replaceAll(/\s/g, "")) bits += alphabet.indexOf(letter).toString(2).padStart(5, "0");
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const mac = createHmac("sha1", key).update(counter).digest();
  const offset = mac.at(-1) & 15;
  return String((mac.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

/**
 * Adds an app that shows codes on the page of second factors, and returns its secret. Its code is that of the step before this one, so it waits if
 * this one is about to end: of two steps before, the server takes none.
 */
export async function addApp(page, name) {
  const secret = await page.locator("code.secret").textContent();
  const form = page.locator("form:has(#totp-code)");
  await form.locator("[name=name]").fill(name);
  const left = 30_000 - (Date.now() % 30_000);
  if (left < 10_000) await setTimeout(left);
  await form.locator("[name=code]").fill(totp(secret, -1)); // those of now and of the next step stay unused
  await submit(page, form.locator("button"));
  return secret;
}
