// The server, as clients see it; the services behind it are small servers on the loopback interface.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { makeServer } from "./server.mjs";

const opened = [];

async function listen(server) {
  opened.push(server.listen(0, "127.0.0.1"));
  await once(server, "listening");
  return `http://127.0.0.1:${server.address().port}`;
}

const service = (status, body) =>
  listen(createServer((_request, response) => response.writeHead(status).end(JSON.stringify(body))));

const files = new Map([["/tds-admin/", { body: Buffer.from("<p>page</p>"), type: "text/html", cache: "no-cache" }]]);
let good, bad;

before(async () => {
  good = await service(200, { status: "ready", checks: { database: { ok: true } } });
  bad = await service(503, { reason: "migrations: none", checks: {} });
});
after(() => opened.forEach((server) => server.close().closeAllConnections()));

async function get(services, path, options) {
  return fetch((await listen(makeServer(files, services))) + path, { redirect: "manual", ...options });
}

test("the page is served under its base path only", async () => {
  const page = await get({}, "/tds-admin/?x=1");
  assert.equal(page.status, 200);
  assert.equal(await page.text(), "<p>page</p>");
  assert.match(page.headers.get("content-security-policy"), /default-src 'self'/);
  assert.equal((await get({}, "/")).status, 404);
  assert.equal((await get({}, "/tds-admin/../etc/passwd")).status, 404);
});

test("the base path without its slash leads to the page", async () => {
  const answer = await get({}, "/tds-admin");
  assert.deepEqual([answer.status, answer.headers.get("location")], [308, "/tds-admin/"]);
});

test("only reading is allowed", async () => {
  assert.equal((await get({}, "/tds-admin/", { method: "POST" })).status, 405);
});

test("the stack is ready when every service is", async () => {
  const body = await (await get({ erp: good, neurolink: good }, "/tds-admin/stack.json")).json();
  assert.equal(body.ready, true);
  assert.deepEqual(body.services.erp.checks, { database: { ok: true } });
});

test("a service that is not ready says why", async () => {
  const body = await (await get({ erp: good, neurolink: bad }, "/tds-admin/stack.json")).json();
  assert.equal(body.ready, false);
  assert.equal(body.services.neurolink.reason, "migrations: none");
});

test("a service that is not there is not ready", async () => {
  const body = await (await get({ erp: "http://127.0.0.1:9" }, "/tds-admin/stack.json")).json();
  assert.equal(body.ready, false);
  assert.equal(typeof body.services.erp.reason, "string");
});
