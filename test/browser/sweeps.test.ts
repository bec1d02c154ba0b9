import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { presets } from "../../load/sweep/presets.ts";
import type { SweepView } from "../../proxy/synthetic/sweep-view.ts";
import { chatBody, JSON_HEADERS, startFleet, type TestFleet, until } from "../harness/fleet.ts";
import { seriousFindings } from "./axe.ts";
import { fitsSideways, openBoard } from "./board-page.ts";
import { openChromium, openPage } from "./chromium.ts";

/** The procedure of `smoke` with an open loop, in seconds: what is tested is the page, not the figures. */
const tiny = {
  ...presets.smoke,
  name: "smoke",
  warmUp: { concurrencies: [2], requests: 4, msMax: 500 },
  minimum: { requests: 11, windowMsMin: 500, windowMsMax: 1_500 },
  ladder: {
    ...presets.smoke.ladder,
    concurrencyMax: 4,
    flood: 0,
    windowMsMin: 500,
    windowMsMax: 1_000,
  },
  envelope: [0.3, 0.6],
  window: { windowMsMin: 500, windowMsMax: 1_500, requests: 20 },
};

let fleet: TestFleet;
let browser: Browser;
let page: Page;
let errors: string[];

beforeAll(async () => {
  fleet = await startFleet(["vllm", "sglang"], {
    engine: { speed: 4 },
    proxy: { policy: "round-robin", sweepPresets: { smoke: tiny } },
  });
  browser = await openChromium();
}, 60_000);

afterAll(async () => {
  await browser.close();
  await fleet.stop();
});

beforeEach(async () => {
  page = await openPage(browser, { viewport: { width: 1440, height: 1000 } });
  errors = [];
  page.on("pageerror", (error) => errors.push(error.message));
  return () => page.context().close();
});

async function viewOf(id: string): Promise<SweepView> {
  const answer = await fetch(`${fleet.proxy.adminUrl}/api/v1/sweeps/${id}`);
  return (await answer.json()) as SweepView;
}

async function open(path: string): Promise<void> {
  await openBoard(page, fleet.proxy.adminUrl + path);
}

test("what a sweep is refused for is said in the form, and nothing typed is lost", async () => {
  await open("/sweeps");
  await page.locator('input[name="shapes"]').fill("a lot");
  await page.getByRole("button", { name: "start sweep" }).click();
  await page
    .getByRole("alert")
    .getByText(/shapes/)
    .waitFor();
  expect(await page.locator('input[name="shapes"]').inputValue()).toBe("a lot");
});

test("a sweep is started from the form, watched, and read: curves, points, the command again", async () => {
  await open("/sweeps");
  await page.locator('select[name="replica"]').selectOption("sglang-1");
  await page.locator('select[name="preset"]').selectOption("smoke");
  await page.locator('input[name="shapes"]').fill("64x8");
  await page.locator('select[name="path"]').selectOption("direct");
  await page.getByText(/it comes back afterwards/).waitFor();
  await page.getByRole("button", { name: "start sweep" }).click();
  await page.waitForURL(/\/sweeps\/\w+/);
  await page.getByRole("button", { name: "stop sweep" }).waitFor();
  const id = new URL(page.url()).pathname.split("/").at(-1) ?? "";
  await until(async () => (await viewOf(id)).endedMs !== null, "the sweep ends", 60_000);
  const view = await viewOf(id);
  expect([view.state, view.error]).toEqual(["done", null]);
  await page.getByText("reached the end of its plan").waitFor();
  await page.getByText(view.headline ?? "no headline", { exact: true }).waitFor();
  await page.getByText(view.command, { exact: true }).waitFor();
  const rows = page.locator("sweep-points tbody tr");
  await until(async () => (await rows.count()) === view.finished.length, "every point is a row");
  const measured = view.finished.filter(({ point }) => point.valid && point.stage !== "warm-up");
  if (measured.length > 0) await page.locator("xy-chart circle").first().waitFor();
  for (const theme of ["dark", "light"]) {
    await open(`/sweeps/${id}?theme=${theme}`);
    await page.getByText(view.command, { exact: true }).waitFor();
    expect([theme, await seriousFindings(page)]).toEqual([theme, []]);
  }
  await page.setViewportSize({ width: 390, height: 900 });
  await until(() => fitsSideways(page), "a phone holds it", 3_000);
  expect(errors).toEqual([]);
}, 100_000);

test("the list leads back to it, and the replica's page shows where real traffic stands on its curve", async () => {
  for (let index = 0; index < 4; index++)
    await fetch(`${fleet.proxy.dataUrl}/v1/chat/completions`, {
      method: "POST",
      headers: JSON_HEADERS,
      body: chatBody(),
    }).then((answer) => answer.text());
  await open("/sweeps");
  const row = page.locator("sweep-list tbody tr").first();
  await row.focus();
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/sweeps\/\w+/);
  await open("/replicas/sglang-1");
  const panel = page.locator("envelope-panel");
  await panel
    .getByText(/real, last 60 s|held no rates/)
    .first()
    .waitFor();
  await panel.getByText(/sweep \d{8}T\d{6}/i).waitFor();
  await open("/replicas/vllm-0");
  await panel.getByRole("button", { name: "sweep vllm-0…" }).click();
  expect(await page.locator('select[name="replica"]').inputValue()).toBe("vllm-0");
  expect(errors).toEqual([]);
});

test("a running sweep is stopped from its page, and says by whom", async () => {
  const started = await fetch(`${fleet.proxy.adminUrl}/api/v1/sweeps`, {
    method: "POST",
    headers: JSON_HEADERS,
    body: JSON.stringify({ replica: "vllm-0", preset: "quick", shapes: ["64x8"] }),
  });
  const { id } = (await started.json()) as SweepView;
  await open(`/sweeps/${id}`);
  await page.getByRole("button", { name: "stop sweep" }).click();
  await page.getByText("stopped by an operator").waitFor();
  await until(async () => (await viewOf(id)).state === "stopped", "it stopped", 20_000);
});

test("an unknown sweep is said to be unknown", async () => {
  await open("/sweeps/nothing");
  await page.getByRole("alert").waitFor();
});
