import { expect, test } from "vitest";
import { request } from "undici";
import { systemClock } from "../../engines/clock.ts";
import { startSimulatedEngine } from "../../engines/sim/server.ts";
import { chatBody, JSON_HEADERS, startFleet, until } from "../harness/fleet.ts";

const OTHER = "Qwen/Qwen2.5-7B-Instruct";

test("F52 an engine that comes back with another model is asked what it serves: the one that is gone is a 404", async () => {
  const fleet = await startFleet(["vllm"]);
  const port = fleet.engines[0]!.port;
  await fleet.engines[0]!.close();
  await until(() => fleet.proxy.fleet.views()[0]!.state === "down", "it is down");
  const back = await startSimulatedEngine({ persona: "vllm", model: OTHER, port });
  await until(() => fleet.proxy.fleet.views()[0]!.models.includes(OTHER), "it is known anew");
  const { statusCode, body } = await request(`${fleet.proxy.dataUrl}/v1/chat/completions`, {
    method: "POST",
    headers: JSON_HEADERS,
    body: chatBody(),
  });
  expect(statusCode).toBe(404);
  expect(await body.json()).toMatchObject({ error: { code: "model_not_found" } });
  await fleet.proxy.stop();
  await back.close();
});

test("F53 a wall clock that jumps moves no time of ours: the clock was set to it once", () => {
  const wall = Date.now;
  const before = systemClock.nowMs();
  Date.now = () => wall() - 3_600_000;
  const during = systemClock.nowMs();
  Date.now = () => wall() + 3_600_000;
  const after = systemClock.nowMs();
  Date.now = wall;
  expect(during).toBeGreaterThanOrEqual(before);
  expect(after - before).toBeLessThan(60_000);
});
