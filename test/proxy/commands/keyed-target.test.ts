import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { request } from "node:http";
import { join } from "node:path";
import { type SimulatedEngine, startSimulatedEngine } from "../../../engines/sim/server.ts";
import { MODEL } from "../../harness/fleet.ts";
import { pitot } from "../../harness/pitot.ts";
import { startTlsServer, type TlsServer } from "../../harness/tls-server.ts";

const KEY = "sk-of-a-driven-engine";
const CA = join(import.meta.dirname, "..", "..", "fixtures", "tls", "loopback.pem");
let engine: SimulatedEngine;
let secure: TlsServer;

beforeAll(async () => {
  engine = await startSimulatedEngine({ persona: "vllm", model: MODEL, speed: 50 });
  secure = await startTlsServer((got, response) => {
    if (got.headers.authorization !== `Bearer ${KEY}`) {
      got.resume();
      response.writeHead(401).end('{"error":"Unauthorized"}');
      return;
    }
    const { method = "GET", url = "/", headers } = got;
    const onward = request(engine.url + url, { method, headers, agent: false }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    got.pipe(onward);
  });
});
afterAll(async () => {
  await secure.close();
  await engine.close();
});

const replay = (...flags: string[]): ReturnType<typeof pitot> =>
  pitot([
    "replay",
    "azure-conversation",
    "--limit",
    "2",
    "--speed",
    "1000",
    "--target",
    secure.url,
    ...flags,
  ]);

describe("an engine behind a key and a certificate", () => {
  test("is driven when both are given", async () => {
    const { status, stdout, stderr } = await replay("--api-key", KEY, "--ca", CA);
    expect({ status, stderr }).toMatchObject({ status: 0 });
    expect(engine.ledger.length).toBeGreaterThanOrEqual(2);
    expect(stdout + stderr).not.toContain(KEY);
  });

  test.each([
    [[], 3, "certificate is self-signed"],
    [["--insecure"], 1, "wants a key (401): give it with --api-key or PITOT_API_KEY"],
    [["--insecure", "--api-key", "sk-wrong"], 1, "does not take the key it was given (401)"],
    [["--ca", "/nowhere.pem"], 2, "--ca /nowhere.pem cannot be read"],
  ])("with %j ends with %i and says why", async (flags, wanted, words) => {
    const { status, stderr } = await replay(...flags);
    expect(status).toBe(wanted);
    expect(stderr).toContain(words);
  });
});
