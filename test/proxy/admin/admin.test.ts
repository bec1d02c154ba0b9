import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { request } from "undici";
import { WebSocket } from "ws";
import type { Frame, SnapshotFrame, TickFrame } from "../../../proxy/live/frames.ts";
import type { SeriesAnswer } from "../../../proxy/telemetry/series.ts";
import { chatBody, JSON_HEADERS, startFleet, type TestFleet, until } from "../../harness/fleet.ts";

let fleet: TestFleet;
beforeAll(async () => {
  fleet = await startFleet(["vllm", "sglang"], { engine: { speed: 4 } });
});
afterAll(() => fleet.stop());

const get = (path: string): ReturnType<typeof request> => request(fleet.proxy.adminUrl + path);

async function chat(tokens = 4): Promise<void> {
  const answer = await request(`${fleet.proxy.dataUrl}/v1/chat/completions`, {
    method: "POST",
    headers: JSON_HEADERS,
    body: chatBody({ tokens }),
  });
  await answer.body.text();
}

describe("the live feed", () => {
  const open = async (
    headers: Record<string, string> = {},
  ): Promise<{ socket: WebSocket; frames: Frame[] }> => {
    const socket = new WebSocket(`${fleet.proxy.adminUrl.replace("http", "ws")}/api/v1/live`, {
      headers,
    });
    const frames: Frame[] = [];
    socket.on("message", (data: Buffer) => frames.push(JSON.parse(data.toString()) as Frame));
    await once(socket, "message");
    return { socket, frames };
  };

  test("sends a snapshot, then what happened each second", async () => {
    const { socket, frames } = await open();
    const snapshot = frames[0] as SnapshotFrame;
    expect(snapshot).toMatchObject({ kind: "snapshot", version: 2, tickMs: 1000 });
    expect(snapshot.replicas.map((replica) => replica.id)).toEqual(["vllm-0", "sglang-1"]);
    await chat(5);
    await until(
      () => frames.some((frame) => frame.kind === "tick" && frame.ended.length > 0),
      "a tick with the request",
    );
    const ticks = frames.filter((frame): frame is TickFrame => frame.kind === "tick");
    expect(ticks.reduce((sum, frame) => sum + frame.tick.real.outputTokens, 0)).toBe(5);
    expect(ticks.flatMap((frame) => frame.ended)).toHaveLength(1);
    socket.close();
  });

  test("is closed to pages of other sites", async () => {
    const socket = new WebSocket(`${fleet.proxy.adminUrl.replace("http", "ws")}/api/v1/live`, {
      headers: { origin: "http://evil.example" },
    });
    const [error] = (await once(socket, "error")) as [Error];
    expect(error.message).toContain("403");
  });
});

describe("the API", () => {
  test("tells figures with unit, statistic, window, count and origin", async () => {
    await chat();
    const state = (await (await get("/api/v1/state")).body.json()) as {
      real: Record<string, object>;
    };
    expect(state.real["ttftP50Ms"]).toMatchObject({
      unit: "ms",
      statistic: "p50",
      windowMs: 60_000,
      origin: "real",
    });
    const synthetic = (
      (await (await get("/api/v1/state")).body.json()) as {
        synthetic: Record<string, { value: unknown; n: number }>;
      }
    ).synthetic;
    expect(synthetic["ttftP50Ms"]).toMatchObject({ value: null, n: 0 });
  });

  test("lists ended requests and tells one whole", async () => {
    await chat();
    const { requests } = (await (await get("/api/v1/requests?limit=1")).body.json()) as {
      requests: { id: string }[];
    };
    const { request: one } = (await (
      await get(`/api/v1/requests/${requests[0]!.id}`)
    ).body.json()) as { request: { outputOffsetsMs: number[]; attempts: object[] } };
    expect(one.outputOffsetsMs.length).toBeGreaterThan(0);
    expect(one.attempts).toHaveLength(1);
  });

  test("tells the history of a metric by replica, out of the same traffic as the request list", async () => {
    await chat(3);
    const total = fleet.proxy.telemetry.ring.total;
    await until(
      () => fleet.proxy.telemetry.traffic.ticks().at(-1)?.real.ended.completed === undefined,
      "a second after the last request",
    );
    const answer = (await (
      await get("/api/v1/series?metric=ttft&by=replica&window=15m&bins=1")
    ).body.json()) as SeriesAnswer;
    expect(answer).toMatchObject({
      unit: "ms",
      origin: "real",
      by: "replica",
      kind: "distribution",
    });
    expect(answer.lines.reduce((sum, line) => sum + line.total.n, 0)).toBe(total);
    for (const line of answer.lines) {
      expect(line.points.reduce((sum, point) => sum + point.n, 0)).toBe(line.total.n);
      expect(
        line.points.filter((point) => point.n === 0).every((point) => (point.p50 ?? null) === null),
      ).toBe(true);
    }
  });

  test("puts a deploy in the events lane", async () => {
    const post = async (body: object): Promise<number> =>
      (
        await request(`${fleet.proxy.adminUrl}/api/v1/events`, {
          method: "POST",
          headers: JSON_HEADERS,
          body: JSON.stringify(body),
        })
      ).statusCode;
    expect(await post({ kind: "deploy", subject: "vllm 0.19" })).toBe(201);
    expect(await post({ kind: "replica-down", subject: "r0" })).toBe(400);
    expect(await post({ subject: "" })).toBe(400);
    expect(await post({ subject: "x".repeat(101) })).toBe(400);
    const { events } = (await (await get("/api/v1/events?limit=1")).body.json()) as {
      events: object[];
    };
    expect(events).toMatchObject([{ kind: "deploy", subject: "vllm 0.19" }]);
  });

  test("documents every route, and every documented route is there", async () => {
    const { paths } = (await (await get("/api/v1/openapi.json")).body.json()) as {
      paths: Record<string, Record<string, unknown>>;
    };
    for (const [path, methods] of Object.entries(paths)) {
      if (!("get" in methods)) continue;
      const id = [...fleet.proxy.telemetry.ring.newest()][0]!.id;
      const answer = await get(
        path.replace("{id}", id) + (path.endsWith("/series") ? "?metric=ttft" : ""),
      );
      // Some answers never end by themselves.
      answer.body.on("error", () => {}).destroy();
      // No sweep has run here: its route is there, and says so.
      expect([path, answer.statusCode]).toEqual([path, path.includes("/sweeps/{") ? 404 : 200]);
    }
  });

  test("drains a replica and takes it back", async () => {
    const post = async (action: string): Promise<number> => {
      const answer = await request(`${fleet.proxy.adminUrl}/api/v1/replicas/vllm-0/${action}`, {
        method: "POST",
      });
      await answer.body.dump();
      return answer.statusCode;
    };
    expect(await post("drain")).toBe(200);
    for (let index = 0; index < 4; index++) await chat(1);
    const recent = [...fleet.proxy.telemetry.ring.newest()]
      .slice(0, 4)
      .map((exchange) => exchange.replica);
    expect(new Set(recent)).toEqual(new Set(["sglang-1"]));
    expect(await post("undrain")).toBe(200);
    await until(
      () => fleet.proxy.fleet.views().every((view) => view.state === "up"),
      "both are up",
    );
  });

  test.each([
    ["/api/v1/requests?limit=0", 400, "limit"],
    ["/api/v1/requests?state=odd", 400, "state"],
    ["/api/v1/requests/nobody", 404, "nobody"],
    ["/api/v1/nothing", 404, "/api/v1/nothing"],
    ["/api/v1/series", 400, "metric"],
    ["/api/v1/series?metric=odd", 400, "odd"],
    ["/api/v1/series?metric=ttft&by=colour", 400, "colour"],
    ["/api/v1/series?metric=ttft&window=soon", 400, "soon"],
    ["/api/v1/series?metric=ttft&window=99d", 400, "99d"],
    ["/api/v1/series?metric=ttft&origin=probe", 400, "probe"],
    ["/api/v1/outcomes?window=soon", 400, "soon"],
    ["/api/v1/outcomes?origin=probe", 400, "probe"],
    ["/api/v1/outcomes?until=-1", 400, "until"],
    ["/api/v1/events?limit=many", 400, "many"],
    ["/api/v1/requests?from=yesterday", 400, "yesterday"],
    ["/api/v1/requests?preset=odd", 400, "odd"],
  ])("refuses %s in a sentence that names it", async (path, status, named) => {
    const answer = await get(path);
    expect(answer.statusCode).toBe(status);
    expect(((await answer.body.json()) as { error: { message: string } }).error.message).toContain(
      named,
    );
  });

  test.each([
    ["not a url at all", 400],
    ["ftp://x", 400],
  ])("refuses the replica %j", async (url, status) => {
    const answer = await request(`${fleet.proxy.adminUrl}/api/v1/replicas`, {
      method: "POST",
      headers: JSON_HEADERS,
      body: JSON.stringify({ url }),
    });
    await answer.body.dump();
    expect(answer.statusCode).toBe(status);
  });

  test("asks for the token when one is set", async () => {
    const guarded = await startFleet(["vllm"], { proxy: { adminToken: "secret" } });
    const ask = async (headers: Record<string, string>): Promise<number> =>
      (await request(`${guarded.proxy.adminUrl}/api/v1/state`, { headers })).statusCode;
    expect(await ask({})).toBe(401);
    expect(await ask({ authorization: "Bearer wrong" })).toBe(401);
    expect(await ask({ authorization: "Bearer secret" })).toBe(200);
    await guarded.stop();
  });

  test("serves a metrics page that parses and never mixes origins", async () => {
    const text = await (await get("/metrics")).body.text();
    expect(text).toMatch(/^pitot_requests_total\{.*origin="real".*\} \d+$/m);
    expect(text).not.toContain('origin="synthetic"');
  });
});
