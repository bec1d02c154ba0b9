import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { seededRandom } from "../../../../engines/random.ts";
import { FactReader } from "../../../../proxy/telemetry/fact.ts";
import type { WebhookOptions } from "../../../../proxy/telemetry/options.ts";
import { SloDesk } from "../../../../proxy/telemetry/slo/slo-desk.ts";
import { Notifier } from "../../../../proxy/telemetry/webhooks/notifier.ts";
import { exchangeOf } from "../../../harness/exchanges.ts";
import { until } from "../../../harness/fleet.ts";

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const heard: { path: string; body: unknown; token: string | undefined }[] = [];
let statuses: number[] = [];
let url = "";
const server = createServer((request, response) => {
  void json(request).then((body) => {
    const token = request.headers.authorization;
    heard.push({ path: request.url ?? "", body, token });
    response.writeHead(statuses.shift() ?? 200).end();
  });
});
beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
beforeEach(() => {
  heard.length = 0;
  statuses = [];
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

/** A promise at 99 % under one request a second, told minute by minute whether they fail. */
class Incident {
  readonly givenUp: string[] = [];
  readonly notifier: Notifier;
  nowMs = 100 * DAY;
  readonly #facts = new FactReader();
  readonly #desk: SloDesk;

  constructor(kind: WebhookOptions["kind"], path = "") {
    const slo = { name: "chat <1>", objective: 0.99, windowMs: 28 * DAY };
    this.#desk = new SloDesk([slo], this.nowMs, () => {});
    const options = { kind, url: url + path, headers: { authorization: "Bearer s3cret" } };
    this.notifier = new Notifier([options], seededRandom(1), (message) =>
      this.givenUp.push(message),
    );
  }

  run(minutes: number, how: "well" | "badly"): this {
    const outcome =
      how === "well"
        ? ({ kind: "completed", finishReason: "stop" } as const)
        : ({ kind: "failed", code: "x" } as const);
    for (let second = 0; second < minutes * 60; second++) {
      this.nowMs += 1_000;
      this.#desk.take(this.#facts.read(exchangeOf({ endedMs: this.nowMs - 1, outcome }), "m"));
      if (this.#desk.tick(this.nowMs)) this.notifier.judged(this.#desk, this.nowMs);
    }
    return this;
  }

  /** Lets the receiver be told, second by second, until `count` messages have come in all. */
  async tell(count: number): Promise<void> {
    await until(() => {
      this.nowMs += 1_000;
      this.notifier.tick(this.nowMs);
      return heard.length >= count;
    }, `${count} messages`);
    await this.notifier.stop();
  }
}

describe("a webhook", () => {
  test("hears of an alert once when it begins and once when it ends, though several rules agree", async () => {
    const incident = new Incident("generic", "/hook").run(60, "well").run(25, "badly");
    await incident.tell(2);
    incident.run(10, "badly");
    incident.notifier.tick(incident.nowMs);
    await incident.notifier.stop();
    expect(heard).toHaveLength(2);
    const bySeverity = heard.map(({ body }) => body as { severity: string });
    expect(bySeverity.toSorted((a, b) => a.severity.localeCompare(b.severity))).toMatchObject([
      {
        state: "firing",
        severity: "page",
        key: "chat <1>/page",
        slo: { name: "chat <1>", objective: 0.99 },
      },
      { state: "firing", severity: "ticket" },
    ]);
    expect(heard[0]).toMatchObject({ path: "/hook", token: "Bearer s3cret" });
    incident.run(40, "well");
    await incident.tell(3);
    expect(heard[2]!.body).toMatchObject({
      state: "resolved",
      severity: "page",
      key: "chat <1>/page",
    });
  });

  test("that fails is told again with growing waits, then is told all the same", async () => {
    statuses = [500, 429, 503];
    const incident = new Incident("generic").run(60, "well").run(10, "badly");
    await incident.tell(4);
    expect(new Set(heard.slice(0, 4).map(({ body }) => (body as { key: string }).key)).size).toBe(
      1,
    );
    expect(incident.notifier.dropped).toBeLessThanOrEqual(1);
    expect(incident.givenUp).toEqual([]);
  });

  test("that refuses for good is not asked again, and that is said without its secret", async () => {
    statuses = [400, 400];
    const incident = new Incident("generic", "/T0/secret-path").run(60, "well").run(10, "badly");
    await incident.tell(2);
    expect(incident.givenUp.toSorted()[0]).toMatch(
      /generic webhook at 127\.0\.0\.1:\d+ was not told that chat <1>\/page is firing/,
    );
    expect(incident.givenUp[0]).not.toContain("secret");
  });

  test("that is gone is given up after six tries, and counted", async () => {
    statuses = Array.from({ length: 6 }, () => 500);
    const incident = new Incident("generic").run(60, "well").run(10, "badly");
    await incident.tell(6);
    await until(() => incident.givenUp.length === 1, "it is given up");
    expect(incident.notifier.dropped).toBeGreaterThanOrEqual(1);
  });

  test("hears nothing of an alert that came and went while it could not be reached", async () => {
    const incident = new Incident("generic").run(60, "well").run(10, "badly").run(90, "well");
    for (let second = 0; second < 10; second++) incident.notifier.tick((incident.nowMs += 1_000));
    await incident.notifier.stop();
    const pages = heard.filter(({ body }) => (body as { severity: string }).severity === "page");
    expect(pages).toEqual([]);
  });

  test("of Slack gets one line of text in which nothing is markup", async () => {
    const incident = new Incident("slack").run(60, "well").run(10, "badly");
    await incident.tell(2);
    const texts = heard.map(({ body }) => (body as { text: string }).text);
    const text = texts.find((one) => one.includes("page"))!;
    expect(text).toMatch(
      /^🔥 page: "99 % of requests: answered over 28 days" burns its budget \d+\.\d × too fast/,
    );
    expect(text).not.toMatch(/[<>]/);
  });

  test("of Alertmanager is told again every minute while it fires, and when it ends", async () => {
    const incident = new Incident("alertmanager", "/").run(60, "well").run(10, "badly");
    await until(() => {
      incident.nowMs += 1_000;
      incident.notifier.tick(incident.nowMs);
      return heard.filter(({ body }) => labelsOf(body)["severity"] === "page").length >= 3;
    }, "three tellings");
    const page = heard.find(({ body }) => labelsOf(body)["severity"] === "page")!;
    const [first] = page.body as [{ startsAt: string; endsAt: string; annotations: object }];
    expect(page.path).toBe("/api/v2/alerts");
    expect(labelsOf(page.body)).toEqual({
      alertname: "PitotErrorBudgetBurn",
      slo: "chat <1>",
      severity: "page",
    });
    expect(Date.parse(first.endsAt)).toBeGreaterThan(Date.parse(first.startsAt));
    await incident.notifier.stop();
  });
});

function labelsOf(body: unknown): Record<string, string> {
  return (body as [{ labels: Record<string, string> }])[0].labels;
}
