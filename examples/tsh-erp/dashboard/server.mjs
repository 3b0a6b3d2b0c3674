// Serves the page under /tds-admin/, and /tds-admin/stack.json: the state of the services, asked for from inside the network,
// where their names mean something. Everything else is 404. Needs nothing but Node.
import { readFileSync, readdirSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { readStack } from "./stack.mjs";

const BASE = "/tds-admin";
const PORT = 3000;
const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8" };
const HEADERS = {
  "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
};

function file(path, cache) {
  return { body: readFileSync(path), type: TYPES[extname(path)], cache };
}

/** Reads the built page into memory: path on the server -> what to answer. */
export function loadFiles(directory) {
  const files = new Map([[`${BASE}/`, file(join(directory, "index.html"), "no-cache")]]);
  for (const name of readdirSync(join(directory, "assets"))) {
    files.set(`${BASE}/assets/${name}`, file(join(directory, "assets", name), "public, max-age=31536000, immutable"));
  }
  return files;
}

function answer(response, status, headers, body = "") {
  response.writeHead(status, { ...HEADERS, "Content-Length": Buffer.byteLength(body), ...headers });
  response.end(response.req.method === "HEAD" ? undefined : body);
}

/** Makes the server; `services` maps a name to the address of a service that answers /ready. */
export function makeServer(files, services) {
  return createServer(async (request, response) => {
    const path = request.url.split("?", 1)[0];
    if (request.method !== "GET" && request.method !== "HEAD") {
      answer(response, 405, { Allow: "GET, HEAD", "Content-Type": "text/plain" }, "Method not allowed\n");
    } else if (path === BASE) {
      answer(response, 308, { Location: `${BASE}/` });
    } else if (path === `${BASE}/stack.json`) {
      const body = JSON.stringify(await readStack(services));
      answer(response, 200, { "Content-Type": "application/json", "Cache-Control": "no-store" }, body);
    } else if (files.has(path)) {
      const { body, type, cache } = files.get(path);
      answer(response, 200, { "Content-Type": type, "Cache-Control": cache }, body);
    } else {
      answer(response, 404, { "Content-Type": "text/plain" }, "Not found\n");
    }
  });
}

function required(name) {
  const value = process.env[name];
  if (!value) {
    console.error(`${name} is not set`);
    process.exit(1);
  }
  return value;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const services = { erp: required("ERP_URL"), neurolink: required("NEUROLINK_URL") };
  const files = loadFiles(join(import.meta.dirname, "dist"));
  const server = makeServer(files, services);
  server.listen(PORT, () =>
    console.log(`Dashboard on port ${server.address().port}`),
  );
  // As PID 1 of a container a process that does not listen for signals gets none.
  for (const signal of ["SIGTERM", "SIGINT"]) {
    process.on(signal, () => {
      server.close(() => process.exit(0));
      server.closeAllConnections();
    });
  }
}
