import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { inspect } from "node:util";
import { afterEach, describe, expect, test } from "vitest";
import type { ReplicaSpec } from "../../../proxy/upstream/fleet.ts";
import { type RunningProxy, startProxy } from "../../../proxy/serve.ts";
import { chatBody, JSON_HEADERS, until } from "../../harness/fleet.ts";
import { CERTIFICATE, startTlsServer } from "../../harness/tls-server.ts";

const KEY = "sk-per-replica-0123456789";
const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  while (open.length > 0) await open.pop()?.();
});

/** Answers like vLLM to whoever shows the key, and 401 as vLLM does to everyone else. */
const guarded: RequestListener = (request, response) => {
  request.resume();
  const isOpen = request.url === "/health" || request.headers.authorization === `Bearer ${KEY}`;
  const body =
    request.url === "/v1/models"
      ? { object: "list", data: [{ id: "m", object: "model", owned_by: "vllm" }] }
      : { choices: [] };
  response.writeHead(isOpen ? 200 : 401, { "content-type": "application/json" });
  response.end(JSON.stringify(isOpen ? body : { error: "Unauthorized" }));
};

async function plainServer(): Promise<{ url: string; requests: IncomingMessage[] }> {
  const requests: IncomingMessage[] = [];
  const server: Server = createServer((request, response) => {
    requests.push(request);
    guarded(request, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  open.push(async () => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}

async function tlsServer(): ReturnType<typeof startTlsServer> {
  const server = await startTlsServer(guarded);
  open.push(() => server.close());
  return server;
}

async function proxyFor(...replicas: (string | ReplicaSpec)[]): Promise<RunningProxy> {
  const loopback = { host: "127.0.0.1", port: 0 };
  const proxy = await startProxy({ replicas, listen: loopback, admin: loopback });
  open.push(() => proxy.stop());
  return proxy;
}

const post = (proxy: RunningProxy, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${proxy.dataUrl}/v1/chat/completions`, {
    method: "POST",
    headers: { ...JSON_HEADERS, ...headers },
    body: chatBody().replace(/"model":"[^"]+"/, '"model":"m"'),
  });

describe("a replica with a key", () => {
  test("is recognised and gets the key with probes and requests", async () => {
    const engine = await plainServer();
    const proxy = await proxyFor({ url: engine.url, apiKey: KEY, name: "a" });
    expect(proxy.fleet.views()[0]).toMatchObject({ engine: "vllm", models: ["m"], state: "up" });
    expect((await post(proxy)).status).toBe(200);
  });

  test("gets its own key in place of the client's", async () => {
    const engine = await plainServer();
    const proxy = await proxyFor({ url: engine.url, apiKey: KEY });
    expect((await post(proxy, { Authorization: "Bearer of-the-client" })).status).toBe(200);
    const sent = engine.requests.findLast(({ method }) => method === "POST");
    const keys = sent?.rawHeaders.filter((text) => text.startsWith("Bearer "));
    expect(keys).toEqual([`Bearer ${KEY}`]);
  });

  test("does not share it with the next replica, to which the client's goes", async () => {
    const [keyed, plain] = [await plainServer(), await plainServer()];
    const proxy = await proxyFor(
      { url: keyed.url, apiKey: KEY, headers: { "x-tenant": "ours" } },
      plain.url,
    );
    for (let turn = 0; turn < 6; turn++) await post(proxy, { authorization: "Bearer other" });
    await until(() => plain.requests.length > 0, "the second replica is asked");
    const seen = plain.requests.map(({ headers }) => headers);
    expect(JSON.stringify(seen)).not.toContain(KEY);
    expect(seen.every((headers) => headers["x-tenant"] === undefined)).toBe(true);
  });

  test("never shows it: not in its view, not when printed", async () => {
    const engine = await plainServer();
    const proxy = await proxyFor({ url: engine.url, apiKey: KEY });
    const shown = [
      JSON.stringify(proxy.fleet.views()),
      inspect(proxy.fleet, { depth: 9, showHidden: false }),
      JSON.stringify(proxy.telemetry.events),
      await (await fetch(`${proxy.adminUrl}/api/v1/state`)).text(),
    ];
    for (const text of shown) expect(text).not.toContain(KEY);
  });

  test("without the key is down, and says by which status", async () => {
    const engine = await plainServer();
    const proxy = await proxyFor(engine.url);
    expect(proxy.fleet.views()[0]).toMatchObject({ state: "down" });
    expect(proxy.fleet.views()[0]?.because).toContain("401");
  });

  test("whose key holds a line break is refused without repeating it", async () => {
    const adding = proxyFor({ url: "http://127.0.0.1:1", apiKey: `${KEY}\r\nx: y` });
    await expect(adding).rejects.toThrow(/header "authorization" cannot be sent/);
    await expect(adding).rejects.not.toThrow(KEY);
  });
});

describe("a replica behind TLS", () => {
  test("with a self-signed certificate is down, and says so", async () => {
    const proxy = await proxyFor((await tlsServer()).url);
    expect(proxy.fleet.views()[0]?.because).toContain("certificate is self-signed");
  });

  test("answers when its certificate is trusted", async () => {
    const { url } = await tlsServer();
    const proxy = await proxyFor({ url, apiKey: KEY, tls: { ca: CERTIFICATE } });
    expect((await post(proxy)).status).toBe(200);
  });

  test("answers when any certificate is taken", async () => {
    const { url } = await tlsServer();
    const proxy = await proxyFor({ url, apiKey: KEY, tls: { insecure: true } });
    expect((await post(proxy)).status).toBe(200);
  });

  test("whose certificate is for another name is down", async () => {
    const { port } = await tlsServer();
    const url = `https://localhost:${port}`;
    const proxy = await proxyFor({ url, tls: { ca: CERTIFICATE } });
    expect(proxy.fleet.views()[0]?.because).toContain("another host name");
  });

  test("answers under another name when told which to expect", async () => {
    const { port } = await tlsServer();
    const tls = { ca: CERTIFICATE, serverName: "engine.test" };
    const proxy = await proxyFor({ url: `https://localhost:${port}`, apiKey: KEY, tls });
    expect((await post(proxy)).status).toBe(200);
  });

  test("that does not speak TLS is down, and says so", async () => {
    const { url } = await plainServer();
    const proxy = await proxyFor(url.replace("http:", "https:"));
    expect(proxy.fleet.views()[0]?.because).toContain("does not speak TLS");
  });

  test("whose certificate file is none is refused", async () => {
    const adding = proxyFor({
      url: "https://127.0.0.1:1",
      tls: { cert: "no PEM", key: "neither" },
    });
    await expect(adding).rejects.toThrow(/certificate under tls cannot be read/);
  });
});

test("a description gives weight, labels, model and engine their say", async () => {
  const engine = await plainServer();
  const proxy = await proxyFor({
    url: engine.url,
    apiKey: KEY,
    model: "alias",
    engine: "sglang",
    weight: 3,
    labels: { zone: "b" },
  });
  expect(proxy.fleet.views()[0]).toMatchObject({ models: ["alias"], engine: "sglang", weight: 3 });
});
