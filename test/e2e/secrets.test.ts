import { afterAll, beforeAll, expect, test } from "vitest";
import { request } from "undici";
import { until } from "../harness/fleet.ts";
import { chat, get, type RawPair, startRawPair } from "../harness/raw-pair.ts";
import { reply } from "../harness/raw-upstream.ts";

const KEY = "canary-key-8f2a";
const PROMPT = "canary-prompt-77c1";
const ANSWER = "canary-answer-0b3d";

let pair: RawPair;
const printed: string[] = [];
const keep = (warning: Error): void => {
  printed.push(String(warning.stack));
};
beforeAll(async () => {
  process.on("warning", keep);
  pair = await startRawPair();
});
afterAll(async () => {
  process.off("warning", keep);
  await pair.stop();
});

/** Every page of the control plane that shows what has happened. */
const PAGES = [
  "/metrics",
  "/api/v1/state",
  "/api/v1/requests",
  "/api/v1/requests?state=in-flight",
  "/api/v1/requests?state=ended",
  "/api/v1/replicas",
  "/api/v1/events",
  "/api/v1/slos",
  "/api/v1/series?metric=ttft",
];

test("S12 S13 no key, prompt or answer is in anything kept or shown, however requests end", async () => {
  const body = JSON.stringify({ messages: [{ role: "user", content: PROMPT }] });
  const lines = `authorization: Bearer ${KEY}\r\nx-api-key: ${KEY}\r\ncookie: k=${KEY}\r\n`;
  const stream = (end: string): string =>
    `HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\ndata: {"choices":[{"delta":{"content":"${ANSWER}"}}]}\n\n${end}`;
  const answers = [
    reply(JSON.stringify({ choices: [{ message: { content: ANSWER } }] })),
    reply(JSON.stringify({ error: { message: `bad prompt: ${PROMPT}` } }), "", "400 Bad Request"),
    reply(JSON.stringify({ error: { message: `died on ${PROMPT}` } }), "", "500 Oh"),
    stream("data: [DONE]\n\n"),
    stream(""),
    stream(`data: {"error":{"message":"${PROMPT}"}}\n\n`),
    `nonsense ${PROMPT}\r\n\r\n`,
    "",
  ];
  const seen: string[] = [];
  for (const answer of answers) {
    pair.upstream.script = (socket) => socket.end(answer);
    const [got] = await pair.ask(chat(lines, body));
    seen.push(got?.body.toString() ?? "");
  }
  // What the engine says of a prompt is the client's to read …
  expect(seen[1]).toContain(PROMPT);
  for (const wrong of [
    chat(lines, body.slice(1)),
    get(`/v1/sleep?key=${KEY}`, lines),
    get(`/${KEY}`, lines),
  ])
    await pair.ask(wrong);
  await until(() => pair.proxy.feed.inFlightCount === 0, "nothing in flight");
  const pages = await Promise.all(
    PAGES.map(async (path) => (await request(pair.proxy.adminUrl + path)).body.text()),
  );
  const kept = [
    ...pages,
    ...printed,
    JSON.stringify([...pair.proxy.telemetry.ring.newest()]),
    JSON.stringify(pair.proxy.telemetry.events),
  ].join("\n");
  // … and nobody else's.
  for (const canary of [KEY, PROMPT, ANSWER]) expect(kept).not.toContain(canary);
  expect(kept).toContain("upstream_status_500");
});
