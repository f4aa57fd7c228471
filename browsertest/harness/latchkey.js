// The server under test: the real binary, on an SQLite database in a folder of its own.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const binary = process.env.LATCHKEY_TEST_BINARY ?? fileURLToPath(new URL("../../latchkey", import.meta.url));

/** The user that every server has. Its password must never appear in a log. */
export const alice = { username: "alice", password: "canary-of-alice-4711" };

export class Latchkey {
  #folder;
  #process;
  #environment;
  #log = "";

  /** Starts a server with these flags, and waits until it is ready. The issuer is at its own address, with this path, unless one is given. The command is serve, or demo for one that shows its letters at /mailbox. */
  static async start({ flags = [], path = "", issuer, command = "serve" } = {}) {
    const server = new Latchkey();
    server.#folder = await mkdtemp(join(tmpdir(), "latchkey-"));
    const [port, adminPort] = await freePorts(2);
    server.listen = { host: "127.0.0.1", port };
    server.issuer = issuer ?? `http://localhost:${port}${path}`;
    const others = Object.entries(process.env).filter(([name]) => !name.startsWith("LATCHKEY_"));
    server.#environment = {
      ...Object.fromEntries(others),
      LATCHKEY_DATABASE_URL: `sqlite:${server.database}`,
      LATCHKEY_ISSUER: server.issuer,
      LATCHKEY_LISTEN: `127.0.0.1:${port}`,
      LATCHKEY_ADMIN_LISTEN: `127.0.0.1:${adminPort}`,
      LATCHKEY_LOG_FORMAT: "json",
    };
    await server.run(["user", "add", "--email", "alice@example.com", "--password-stdin", alice.username], `${alice.password}\n`);
    await server.#serve([command, ...flags], `http://127.0.0.1:${adminPort}/readyz`);
    return server;
  }

  async #serve(command, readyURL) {
    this.#process = spawn(binary, command, { cwd: this.#folder, env: this.#environment, stdio: ["ignore", "ignore", "pipe"] });
    this.#process.stderr.setEncoding("utf8").on("data", (text) => (this.#log += text));
    for (let tries = 0; tries < 1200; tries++) {
      if (this.#process.exitCode !== null) throw new Error(`the server ended: ${this.#log}`);
      const answer = await fetch(readyURL).catch(() => null);
      if (answer?.ok) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`the server is not ready: ${this.#log}`);
  }

  /** Stops the server and throws when it logged an error: no user may cause one. */
  async stop() {
    if (this.#process.exitCode === null) {
      this.#process.kill("SIGTERM");
      await once(this.#process, "exit");
    }
    await rm(this.#folder, { recursive: true });
    const errors = this.#log.split("\n").filter((line) => line.includes('"level":"ERROR"') || line.startsWith("panic"));
    if (errors.length > 0) throw new Error(`the server logged errors:\n${errors.join("\n")}`);
    if (this.#log.includes(alice.password)) throw new Error("the server logged a password");
    if (this.#process.exitCode !== 0) throw new Error(`the server ended with ${this.#process.exitCode}:\n${this.#log}`);
  }

  get database() {
    return join(this.#folder, "latchkey.db");
  }

  url(path) {
    return this.issuer + path;
  }

  /** Runs a command of the binary on the server's database and returns what it printed. */
  async run(command, input = "") {
    const { code, stdout, stderr } = await execute(binary, command, this.#environment, input);
    if (code !== 0) throw new Error(`latchkey ${command.join(" ")}: ${stderr}`);
    return stdout;
  }

  /** Adds a client and returns the registration response. Lists become repeated flags, true a flag alone. */
  async addClient(flags) {
    const args = ["client", "add"];
    for (const [name, value] of Object.entries(flags)) {
      if (value === true) args.push(`--${name}`);
      else for (const one of [value].flat()) args.push(`--${name}=${one}`);
    }
    return JSON.parse(await this.run(args));
  }

  /** Adds a user. */
  async addUser({ username, password }) {
    await this.run(["user", "add", "--password-stdin", "--", username], `${password}\n`);
  }
}

/** Runs a program to its end. */
export async function execute(program, args, env, input = "") {
  const child = spawn(program, args, { env, stdio: "pipe" });
  const texts = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"]) child[name].setEncoding("utf8").on("data", (text) => (texts[name] += text));
  child.stdin.on("error", () => {}).end(input); // it may end without reading
  const [code] = await once(child, "close");
  return { code, ...texts };
}

/**
 * Returns ports that nothing listens on, below those that the kernel gives to connections and to others that ask for any: one of
 * these may be taken before the server binds it.
 */
async function freePorts(count) {
  const ports = new Set();
  while (ports.size < count) {
    const port = 10_000 + Math.floor(Math.random() * 22_000);
    const probe = createServer().listen(port, "127.0.0.1");
    const free = await Promise.race([once(probe, "listening").then(() => true), once(probe, "error").then(() => false)]).catch(() => false);
    if (!free) continue;
    probe.close();
    await once(probe, "close");
    ports.add(port);
  }
  return [...ports];
}
