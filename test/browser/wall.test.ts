import { deflateRawSync } from "node:zlib";
import type { Browser, Page, WebSocketRoute } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Frame } from "../../proxy/live/frames.ts";
import { until } from "../harness/fleet.ts";
import { openChromium } from "./chromium.ts";
import { NOWHERE, openWithoutServer } from "./recording.ts";
import { syntheticFrames } from "./synthetic-recording.ts";

const HOUR_MS = 3_600_000;
const PLAN = { replicas: 3, seconds: 3, requestsPerSecond: 5 } as const;

let browser: Browser;
let page: Page;
let sockets: WebSocketRoute[];
let isDown: boolean;

beforeAll(async () => {
  browser = await openChromium();
});
afterAll(() => browser.close());
afterEach(() => page.context().close());

/** A board whose proxy is this test: it says what it is told, in the words of the live feed. */
beforeEach(async () => {
  sockets = [];
  isDown = false;
  page = await openWithoutServer(browser, {}, { viewport: { width: 1920, height: 1080 } });
  await page.routeWebSocket(/api\/v1\/live/, (socket) => {
    sockets.push(socket);
    if (isDown) void socket.close();
    else tell(socket, syntheticFrames({ ...PLAN, release: "1.0.0" }));
  });
});

function tell(socket: WebSocketRoute, frames: Iterable<Frame>): void {
  for (const frame of frames) socket.send(deflateRawSync(JSON.stringify(frame)));
}

const night = async (hour: number): Promise<void> => {
  await page.clock.setFixedTime(new Date(Date.UTC(2026, 1, 3, hour, 10)));
};

describe("a wall", () => {
  test("has no rail and larger type", async () => {
    await page.goto(`${NOWHERE}/?kiosk=1`);
    await page.locator("[data-slo]").first().waitFor();
    expect(await page.locator("nav-rail").count()).toBe(0);
    const height = (await page.locator("h1").boundingBox())!.height;
    await page.goto(NOWHERE);
    await page.locator("nav-rail").waitFor();
    expect(height / (await page.locator("h1").boundingBox())!.height).toBeGreaterThan(1.2);
  });

  test("turns through the pages it was given, and leaves no steps to go back on", async () => {
    await page.clock.install();
    await page.goto(`${NOWHERE}/?kiosk=1&pages=live,replicas,nonsense&every=3600`);
    await page.locator("[data-slo]").first().waitFor();
    const steps = await page.evaluate<number>("history.length");
    await page.clock.fastForward(HOUR_MS);
    await page.getByRole("heading", { level: 1, name: "Replicas" }).waitFor();
    await page.waitForURL(/replicas\?.*pages=/);
    await page.clock.fastForward(HOUR_MS);
    await page.getByRole("heading", { level: 1, name: "Live" }).waitFor();
    expect(await page.evaluate<number>("history.length")).toBe(steps);
  });

  test("turns through the promises it was given, the worst first, and keeps an eye on the others", async () => {
    await page.clock.install();
    await page.goto(`${NOWHERE}/?kiosk=1&pages=live,replicas&slos=chat,answered,gone&every=3600`);
    const cards = page.locator("[data-slo]");
    await cards.first().waitFor();
    expect(await cards.count()).toBe(2);
    for (const name of ["answered", "chat"]) {
      await page.clock.fastForward(HOUR_MS);
      await page.waitForURL(new RegExp(`slo=${name}`));
      await page.locator(`[data-slo=${name}]`).waitFor();
      expect(await cards.count()).toBe(1);
      expect(await page.locator("slo-cards ul").innerText()).toMatch(
        /answered breaking\s.*chat kept/s,
      );
    }
    await page.clock.fastForward(HOUR_MS);
    await page.getByRole("heading", { level: 1, name: "Replicas" }).waitFor();
    await page.waitForURL((url) => !url.searchParams.has("slo"));
  });

  test("has nothing on it to click, and its live page fits the screen", async () => {
    await page.goto(`${NOWHERE}/?kiosk=1`);
    await page.locator("[data-slo]").first().waitFor();
    expect(await page.getByRole("button").count()).toBe(0);
    await until(
      () => page.evaluate<boolean>("document.documentElement.scrollHeight <= innerHeight + 1"),
      "nothing is below",
      5_000,
    );
  });

  test.each([
    ["22-7", 23, true],
    ["22-7", 3, true],
    ["22-7", 12, false],
    ["1-5", 3, true],
    ["1-5", 5, false],
    ["soon", 3, false],
  ])("with dim=%s at %d o'clock is dark: %s", async (dim, hour, isDark) => {
    await night(hour);
    await page.goto(`${NOWHERE}/?kiosk=1&dim=${dim}`);
    await page.locator("tile-row").waitFor();
    expect((await page.locator(".kiosk").getAttribute("style"))?.includes("brightness")).toBe(
      isDark,
    );
  });

  test("that lost its connection says so over the whole page, and for how long", async () => {
    await page.goto(`${NOWHERE}/?kiosk=1`);
    await page.locator("[data-slo]").first().waitFor();
    isDown = true;
    for (const socket of sockets) void socket.close();
    const lost = page.locator(".lost");
    await page.getByText(/connection lost 00:0[1-9]/).waitFor({ timeout: 5_000 });
    expect(await lost.boundingBox()).toEqual({ x: 0, y: 0, width: 1920, height: 1080 });
    isDown = false;
    await lost.waitFor({ state: "detached", timeout: 9_000 });
  });

  test("loads itself anew when the proxy is of another release, and not otherwise", async () => {
    await page.goto(`${NOWHERE}/?kiosk=1`);
    await page.locator("[data-slo]").first().waitFor();
    await page.evaluate("window.before = true");
    const [again] = syntheticFrames({ ...PLAN, release: "1.0.0" });
    const [newer] = syntheticFrames({ ...PLAN, release: "2.0.0" });
    tell(sockets[0]!, [again!]);
    await page.getByText("live", { exact: true }).waitFor();
    expect(await page.evaluate("window.before")).toBe(true);
    tell(sockets[0]!, [newer!]);
    await until(
      async () => (await page.evaluate("window.before").catch(() => true)) === undefined,
      "it has loaded anew",
    );
  });
});
