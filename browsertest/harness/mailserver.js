// A mail server (RFC 5321) that refuses every recipient for good until it is told to accept them, and keeps what it got.
import { once } from "node:events";
import { createServer } from "node:net";

export class MailServer {
  accepts = false;
  /** The letters that arrived, as they were sent. */
  letters = [];
  #server;

  static async start() {
    const mail = new MailServer();
    mail.#server = createServer((socket) => mail.#converse(socket)).listen(0, "127.0.0.1");
    mail.#server.unref();
    await once(mail.#server, "listening");
    return mail;
  }

  get url() {
    return `smtp://127.0.0.1:${this.#server.address().port}?tls=off`;
  }

  #converse(socket) {
    let pending = "";
    let letter = null; // the lines of a letter after DATA
    const answer = (line) => socket.write(`${line}\r\n`);
    const data = (line) => {
      if (line !== ".") return letter.push(line);
      this.letters.push(letter.join("\n"));
      letter = null;
      answer("250 accepted");
    };
    const command = (line) => {
      const verb = line.slice(0, 4).toUpperCase();
      if (verb === "RCPT" && !this.accepts) return answer("550 5.1.1 no such mailbox");
      if (verb === "DATA") letter = [];
      answer({ DATA: "354 go on", QUIT: "221 bye" }[verb] ?? "250 fine");
      if (verb === "QUIT") socket.end();
    };
    socket.setEncoding("utf8").on("error", () => {});
    socket.on("data", (text) => {
      const lines = (pending + text).split("\r\n");
      pending = lines.pop();
      for (const line of lines) letter ? data(line) : command(line);
    });
    answer("220 mail.example");
  }
}
