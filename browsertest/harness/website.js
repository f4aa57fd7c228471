// A web site on an origin of its own: single-page applications, and pages of strangers.
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";

const types = { ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".json": "application/json", ".png": "image/png" };
const modules = fileURLToPath(new URL("../node_modules/", import.meta.url));

/**
 * Serves pages (path → HTML or a function that makes it) and the files of a folder on an origin of its own. Libraries are
 * below /node_modules/. localhost:… is of one site with the server under test, 127.0.0.1:… is not.
 */
export async function startWebsite(t, { host = "localhost", pages = {}, folder } = {}) {
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    const page = pages[pathname];
    try {
      const body = page ?? (await file(pathname, folder));
      response.setHeader("Content-Type", types[extname(pathname)] ?? types[".html"]);
      response.end(typeof body === "function" ? body() : body);
    } catch {
      response.writeHead(404).end();
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => { server.closeAllConnections(); server.close(); });
  return { origin: `http://${host}:${server.address().port}`, pages };
}

function file(pathname, folder) {
  if (pathname.startsWith("/node_modules/")) return readFile(modules + pathname.slice("/node_modules/".length));
  if (!folder) throw new Error("not found");
  return readFile(folder + (pathname === "/" ? "/index.html" : pathname));
}
