import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startFleet, type TestFleet, until } from "../harness/fleet.ts";
import { startTraceTraffic, type TraceTraffic } from "../harness/trace-traffic.ts";
import { seriousFindings } from "./axe.ts";
import { openBoard } from "./board-page.ts";
import { openChromium, openPage } from "./chromium.ts";

let fleet: TestFleet;
let browser: Browser;
let traffic: TraceTraffic;

beforeAll(async () => {
  fleet = await startFleet(["vllm", "vllm", "sglang", "tensorrt-llm"], { engine: { speed: 2 } });
  traffic = await startTraceTraffic(fleet, { speed: 2 });
  browser = await openChromium();
}, 60_000);

afterAll(async () => {
  await browser.close();
  await traffic.stop();
  await fleet.stop();
});

async function board(
  options: Parameters<typeof openPage>[1] = {},
  query = "",
): Promise<{ page: Page; foreign: string[]; errors: string[] }> {
  const page = await openPage(browser, { viewport: { width: 1440, height: 1100 }, ...options });
  const foreign: string[] = [];
  const errors: string[] = [];
  page.on("request", (one) => {
    if (
      !one.url().startsWith(fleet.proxy.adminUrl) &&
      !one.url().startsWith(fleet.proxy.adminUrl.replace("http", "ws"))
    )
      foreign.push(one.url());
  });
  page.on("pageerror", (error) => errors.push(error.message));
  await openBoard(page, `${fleet.proxy.adminUrl}/${query}`);
  return { page, foreign, errors };
}

const numberOf = (text: string): number => Number(text.replaceAll(/[^\d.]/g, ""));

describe("the board during live traffic", () => {
  test("shows every replica up, and its figures are those of the API", async () => {
    const { page, foreign, errors } = await board();
    expect(await page.locator("replica-table tbody tr").count()).toBe(4);
    await until(() => fleet.proxy.telemetry.ring.total > 40, "some traffic");
    await until(
      async () => {
        const shown = numberOf(
          await page.locator('figure-value[data-tile="Requests"] span').first().innerText(),
        );
        const seconds = Math.min(60, fleet.proxy.telemetry.traffic.ticks().length);
        const ended = fleet.proxy.telemetry.traffic
          .ticks()
          .slice(-60)
          .reduce(
            (sum, tick) => sum + Object.values(tick.real.ended).reduce((a, b) => a + b, 0),
            0,
          );
        return Math.abs(shown - ended / seconds) <= 0.05 * (ended / seconds) + 0.05;
      },
      "the request rate on screen is the API's",
      8_000,
    );
    expect(
      numberOf(await page.locator('figure-value[data-tile="Errors"] span').first().innerText()),
    ).toBe(0);
    expect(await page.locator('[data-replica="vllm-0"]').textContent()).toContain("up");
    expect(foreign).toEqual([]);
    expect(errors).toEqual([]);
    await page.context().close();
  });

  test("explains a number when it is focused", async () => {
    const { page } = await board();
    const figure = page.locator('figure-value[data-tile="Output"]');
    await figure.focus();
    expect(await figure.locator('[role="tooltip"]').innerText()).toMatch(
      /per second.*Real traffic only/s,
    );
    await page.context().close();
  });

  test.each([1440, 390])("explains it within a window %d pixels wide", async (width) => {
    const { page } = await board({ viewport: { width, height: 700 } });
    const figures = await page.locator("figure-value").all();
    expect(figures.length).toBeGreaterThan(3);
    for (const figure of figures) {
      await figure.focus();
      const box = await figure.locator('[role="tooltip"]').boundingBox();
      expect(box!.x).toBeGreaterThanOrEqual(0);
      expect(box!.x + box!.width).toBeLessThanOrEqual(width);
      expect(box!.y + box!.height).toBeLessThanOrEqual(700);
    }
    await page.context().close();
  });

  test("opens a request's waterfall by keyboard", async () => {
    const { page } = await board();
    const row = page.locator("recent-table tbody tr[tabindex]").first();
    await row.waitFor();
    await row.press("Enter");
    await page.locator("request-detail dl").waitFor();
    expect(await page.locator("request-detail svg").getAttribute("aria-label")).toContain("decode");
    // A reason that names its policy stands alone.
    await page.getByText(/^least in flight of 4: \d+/).waitFor();
    await page.keyboard.press("Escape");
    await page.locator("request-detail").waitFor({ state: "detached" });
    await page.context().close();
  });

  test("has a table behind each picture", async () => {
    const { page } = await board();
    for (const panel of [
      "latency-panel[metric=ttft]",
      "latency-panel[metric=tpot]",
      "throughput-panel",
    ]) {
      await page.locator(`${panel} button`, { hasText: "table" }).click();
      await page.locator(`${panel} table`).waitFor();
    }
    await page.context().close();
  });

  test.each(["dark", "light"])("has no serious accessibility finding in %s", async (theme) => {
    const { page } = await board({}, `?theme=${theme}`);
    expect(await seriousFindings(page)).toEqual([]);
    await page.context().close();
  });

  test.each([1920, 1280, 390])(
    "fits a screen %d pixels wide without scrolling sideways",
    async (width) => {
      const { page } = await board({ viewport: { width, height: 900 } });
      const overflow = await page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth",
      );
      expect(overflow).toBeLessThanOrEqual(0);
      await page.context().close();
    },
  );
});

test("a lost proxy is said in red, and the board comes back by itself", async () => {
  const own = await startFleet(["vllm"]);
  const page = await openPage(browser);
  await page.goto(own.proxy.adminUrl);
  await page.getByText("live", { exact: true }).waitFor();
  const port = Number(new URL(own.proxy.adminUrl).port);
  await own.stop();
  await page.getByText(/disconnected since/).waitFor({ timeout: 10_000 });
  const again = await startFleet(["vllm"], { proxy: { admin: { host: "127.0.0.1", port } } });
  await page.getByText("live", { exact: true }).waitFor({ timeout: 15_000 });
  await page.context().close();
  await again.stop();
});
