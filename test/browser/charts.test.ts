import { readFileSync } from "node:fs";
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { chatBody, JSON_HEADERS, startFleet, type TestFleet, until } from "../harness/fleet.ts";
import { openBoard } from "./board-page.ts";
import { openChromium, openPage } from "./chromium.ts";

let fleet: TestFleet;
let browser: Browser;
let page: Page;
let errors: string[];

beforeAll(async () => {
  fleet = await startFleet(["vllm", "sglang"], {
    engine: { speed: 4 },
    proxy: {
      telemetry: {
        slos: [
          {
            name: "chat",
            objective: 0.95,
            targets: [{ metric: "ttft", belowMs: 300 }],
            windowMs: 28 * 86_400_000,
          },
        ],
      },
    },
  });
  for (let request = 0; request < 12; request++) await ask();
  await until(() => fleet.proxy.telemetry.traffic.ticks().length >= 8, "eight seconds", 15_000);
  browser = await openChromium();
}, 60_000);

afterAll(async () => {
  await browser.close();
  await fleet.stop();
});

beforeEach(async () => {
  page = await openPage(browser, {
    viewport: { width: 1440, height: 1000 },
    permissions: ["clipboard-read", "clipboard-write"],
    timezoneId: "Asia/Kolkata",
  });
  errors = [];
  page.on("pageerror", (error) => errors.push(error.message));
  return () => page.context().close();
});

async function ask(): Promise<void> {
  const answer = await fetch(`${fleet.proxy.dataUrl}/v1/chat/completions`, {
    method: "POST",
    headers: JSON_HEADERS,
    body: chatBody({ tokens: 40 }),
  });
  await answer.text();
}

async function open(path: string): Promise<void> {
  await openBoard(page, fleet.proxy.adminUrl + path);
}

async function dragAcross(target: Locator, from: number, until: number): Promise<void> {
  const box = (await target.boundingBox())!;
  const y = box.y + box.height / 2;
  await page.mouse.move(box.x + box.width * from, y);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * until, y, { steps: 4 });
  await page.mouse.up();
}

describe("looking closer", () => {
  test("a span dragged out of a line chart becomes the address, and the charts stand still and say so", async () => {
    await open("/");
    await dragAcross(page.locator("throughput-panel time-chart .u-over"), 0.1, 0.9);
    await page.getByText(/zoomed to .* charts stand still/).waitFor();
    await page.waitForURL(/zoom=\d+-\d+/);
    await page.reload();
    await page.getByText(/zoomed to .* charts stand still/).waitFor();
    const words = await page.locator("throughput-panel .legend").innerText();
    expect(words).toMatch(/tok\/s, \d\d:\d\d:\d\d to \d\d:\d\d:\d\d/);
    await page.getByRole("button", { name: "back to live" }).click();
    await page.getByText(/zoomed to/).waitFor({ state: "detached" });
    expect(errors).toEqual([]);
  });

  test("with shift a drag across a heat map looks closer, without it asks for the requests", async () => {
    await open("/");
    await page.keyboard.down("Shift");
    await dragAcross(page.locator("latency-panel[metric=ttft] canvas"), 0.1, 0.9);
    await page.keyboard.up("Shift");
    await page.waitForURL(/zoom=/);
    await page.keyboard.press(" ");
    await page.getByText(/zoomed to/).waitFor({ state: "detached" });
    await dragAcross(page.locator("latency-panel[metric=ttft] canvas"), 0.1, 0.9);
    await page.waitForURL(/requests\?from=/);
  });

  test("a span that makes no sense is no zoom", async () => {
    for (const zoom of ["5-3", "x", "-", "1e400-2", "1-"]) {
      await open(`/?zoom=${zoom}`);
      expect(await page.getByText(/zoomed to/).count()).toBe(0);
    }
    expect(errors).toEqual([]);
  });

  test("a span before the frames is asked for", async () => {
    const now = fleet.proxy.telemetry.traffic.ticks().at(-1)!.atMs;
    const asked = page.waitForRequest((one) => one.url().includes("metric=output-tokens"));
    await open(`/?zoom=${now - 3_600_000}-${now}`);
    expect((await asked).url()).toMatch(/origin=real&window=3600s&until=\d+/);
    await page.getByText("Loading history…").waitFor({ state: "detached" });
  });
});

test("throughput over a longer range comes from history, users and sweeps apart", async () => {
  const urls: string[] = [];
  page.on("request", (one) => urls.push(one.url()));
  await open("/?range=6h");
  await page.locator("throughput-panel .legend", { hasText: "tok/s, 6h" }).waitFor();
  await until(
    () =>
      ["real", "synthetic"].every((origin) =>
        urls.some((url) => url.includes(`metric=output-tokens&origin=${origin}&window=6h`)),
      ),
    "both are asked for",
  );
  await page.locator("throughput-panel button", { hasText: "table" }).click();
  await page.locator("throughput-panel tbody tr").first().waitFor();
  await page.locator("throughput-panel button", { hasText: "input" }).click();
  await page.getByRole("heading", { name: "Input throughput" }).waitFor();
  await page.waitForURL(/tokens=input/);
});

test("pictures of one page begin and end at the same moment", async () => {
  await open("/");
  await page.keyboard.press(" ");
  const spans = await page.evaluate(`(() => {
    const root = document.querySelector("pitot-app").shadowRoot.querySelector("live-page").shadowRoot;
    const heat = root.querySelector("latency-panel").shadowRoot.querySelector("heat-map").columns;
    const span = root.querySelector("throughput-panel").shadowRoot.querySelector("time-chart").span;
    const step = heat[1].atMs - heat[0].atMs;
    return [[heat[0].atMs, heat.at(-1).atMs + step], [span.fromMs, span.untilMs]];
  })()`);
  const [heat, line] = spans as number[][];
  expect(line).toEqual(heat);
});

describe("the figures behind", () => {
  test.each([
    ["/", "tile-row", 4],
    ["/", "slo-cards", 1],
    ["/", "latency-panel[metric=ttft]", 1],
    ["/", "throughput-panel", 1],
    ["/", "goodput-bar", 1],
    ["/replicas", "share-panel", 1],
  ])("the pictures of %s %s are a table, too", async (path, panel, pictures) => {
    await open(path);
    const buttons = page.locator(panel).getByRole("button", { name: "table" });
    await buttons.first().waitFor();
    expect(await buttons.count()).toBe(pictures);
    await buttons.first().click();
    await page.locator(`${panel} table tbody tr`).first().waitFor();
    expect(await page.locator(`${panel} table th`).count()).toBeGreaterThan(1);
  });

  test.each([
    ["/", "events-lane", /^at,kind,subject,message\r\n\d{4}-.*Z,replica-/],
    ["/", "replica-table", /^replica,engine,state,.*\r\nvllm-0,vllm .*,up,|sglang-1,sglang .*,up,/],
    ["/", "recent-table", /^id,origin,model,replica,.*\r\n[0-9a-f-]{36},real,/],
    ["/", "in-flight-table", /^\r\n$/],
    ["/", "goodput-bar", /^requests that were,n,share\r\ngood,\d+,/],
    ["/", "latency-panel[metric=ttft]", /^at,p50 ms,p95 ms,p99 ms,n\r\n\d{4}-.*Z,/],
    ["/requests", "request-list", /^id,origin,model,replica,/],
  ])("of %s %s go into a CSV file", async (path, panel, content) => {
    await open(path);
    await page.locator("[data-request], [data-replica]").first().waitFor();
    const saved = page.waitForEvent("download");
    await page.locator(panel).getByRole("button", { name: "CSV" }).click();
    const download = await saved;
    expect(download.suggestedFilename()).toMatch(/^pitot-[a-z-]+\.csv$/);
    expect(readFileSync(await download.path(), "utf8")).toMatch(content);
  });

  test("are copied for a spreadsheet, and exported by key", async () => {
    await open("/replicas");
    await page.locator("[data-replica]").first().waitFor();
    await page.locator("replica-table").getByRole("button", { name: "copy" }).click();
    await page.locator("replica-table").getByRole("button", { name: "copied" }).waitFor();
    const copied = await page.evaluate<string>("navigator.clipboard.readText()");
    expect(copied.split("\n").map((line) => line.split("\t").length)).toEqual(
      copied.split("\n").map(() => copied.split("\n")[0]!.split("\t").length),
    );
    const saved = page.waitForEvent("download");
    await page.keyboard.press("e");
    expect((await saved).suggestedFilename()).toBe("pitot-replicas.csv");
  });
});

describe("the replica table", () => {
  test("is sorted by a click on a column, says so to every reader, and keeps it in the address", async () => {
    await open("/replicas");
    const head = page.locator("replica-table th", { hasText: "TTFT p95" });
    expect(await head.getAttribute("aria-sort")).toBe("none");
    await head.getByRole("button").click();
    expect(await head.getAttribute("aria-sort")).toBe("descending");
    await page.waitForURL(/sort=-ttft95/);
    await head.getByRole("button").click();
    expect(await head.getAttribute("aria-sort")).toBe("ascending");
    await page.goto(`${fleet.proxy.adminUrl}/replicas?sort=name`);
    await page.locator("[data-replica]").first().waitFor();
    expect(await page.locator("[data-replica] .name").allInnerTexts()).toEqual([
      "sglang-1",
      "vllm-0",
    ]);
  });

  test("shows the columns a reader picks, and a column nobody knows is left out", async () => {
    await open("/replicas");
    await page.locator("replica-table summary").click();
    await page.getByLabel("weight").check();
    await page.locator("replica-table th", { hasText: "weight" }).waitFor();
    await page.getByLabel("model").uncheck();
    await page.waitForURL(/cols=/);
    await open("/replicas?cols=state,nonsense&sort=nonsense");
    await page.locator("[data-replica]").first().waitFor();
    expect(await page.locator("replica-table th").allInnerTexts()).toEqual(["replica", "state"]);
  });

  test("draws each replica's last hour by state", async () => {
    await open("/replicas");
    const hour = page.locator('[data-replica="vllm-0"] .hour');
    expect(await hour.getAttribute("aria-label")).toMatch(/unknown .*, then up /);
  });
});

test("what failed is counted by kind, over the range that is picked and by replica", async () => {
  for (const engine of fleet.engines)
    engine.setFaults([{ kind: "cut", afterTokens: 5, how: "rst", first: 3 }]);
  for (let request = 0; request < 3; request++) await ask().catch(() => {});
  for (const engine of fleet.engines) engine.setFaults([]);
  const isCounted = (): boolean =>
    fleet.proxy.telemetry.traffic.ticks().filter(({ real }) => real.ended.cut).length > 0 &&
    [...fleet.proxy.telemetry.ring.newest()].filter(({ outcome }) => outcome.kind === "cut")
      .length === 3;
  await until(isCounted, "three cuts are counted");
  for (const path of ["/", "/?range=6h"]) {
    await open(path);
    await page.locator("goodput-bar", { hasText: "(3: 3 cut by the engine)" }).waitFor();
  }
  await open("/replicas?cols=failed");
  const cells = page.locator("[data-replica] td:last-child");
  await until(async () => {
    const words = (await cells.allTextContents()).map((text) => text.trim());
    const cut = words.filter((text) => text.endsWith(" cut"));
    return cut.reduce((sum, text) => sum + Number.parseInt(text, 10), 0) === 3;
  }, "each replica has its own");
  expect(errors).toEqual([]);
});

test("times are the viewer's own, or Greenwich's by a click, and the address keeps it", async () => {
  await open("/requests");
  const cell = page.locator("[data-request] td").first();
  await cell.waitFor();
  const here = await cell.innerText();
  await page.getByRole("button", { name: "local time" }).click();
  await page.waitForURL(/utc=1/);
  await until(async () => (await cell.innerText()) !== here, "the time changes");
  const greenwich = await cell.innerText();
  expect(minutes(here.slice(-8)) - minutes(greenwich.slice(-8))).toSatisfy(
    (apart: number) => (apart + 1_440) % 1_440 === 330,
  );
});

function minutes(clock: string): number {
  const [hours = 0, minutes = 0] = clock.split(":").map(Number);
  return hours * 60 + minutes;
}
