import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Frame, TickFrame } from "../../proxy/live/frames.ts";
import { readRecording } from "../../proxy/live/recording.ts";
import { startDemo } from "../harness/demo.ts";
import { until } from "../harness/fleet.ts";
import { goByKeys, nextFileDialog } from "./board-page.ts";
import { openChromium, openPage } from "./chromium.ts";

const DIST = join(import.meta.dirname, "..", "..", "dashboard", "dist");
const TYPES: Readonly<Record<string, string>> = {
  css: "text/css",
  html: "text/html",
  js: "text/javascript",
  svg: "image/svg+xml",
};
/** Enough to tell a rate from, and to go back in. */
const TICKS_MIN = 6;

let folder: string;
let file: string;
let frames: readonly Frame[];
let host: Server;
let url: string;
let browser: Browser;
let page: Page;
let errors: string[];
let asked: string[];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "pitot-recording-"));
  file = join(folder, "demo.jsonl");
  const demo = await startDemo(["--replicas", "3", "--record", file]);
  const lines = (): number =>
    existsSync(file) ? readFileSync(file, "utf8").split("\n").length : 0;
  await until(() => lines() > TICKS_MIN + 2, "some seconds are written down", 60_000);
  await demo.stop();
  frames = readRecording(readFileSync(file, "utf8"));
  // As plain as static hosts get: a file or nothing.
  host = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://host.test").pathname;
    const found = path === "/demo.jsonl" ? file : join(DIST, path === "/" ? "index.html" : path);
    if (!existsSync(found)) return response.writeHead(404).end();
    const type = TYPES[found.split(".").at(-1) ?? ""] ?? "application/octet-stream";
    return response.setHeader("content-type", type).end(readFileSync(found));
  });
  await new Promise<void>((resolve) => host.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(host.address() as AddressInfo).port}`;
  browser = await openChromium();
}, 120_000);

afterAll(async () => {
  await browser.close();
  host.closeAllConnections();
  host.close();
  rmSync(folder, { recursive: true, force: true });
});

beforeEach(async () => {
  page = await openPage(browser, { viewport: { width: 1440, height: 1000 } });
  errors = [];
  asked = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("request", (one) => asked.push(one.url()));
  return () => page.context().close();
});

/** Requests that ended in the last minute up to a frame, per second. */
function rateAt(at: number): number {
  const ticks = frames.slice(1, at + 1).map((frame) => (frame as TickFrame).tick);
  const history = frames[0]?.kind === "snapshot" ? frames[0].history : [];
  const minute = [...history, ...ticks].slice(-60);
  const ended = minute.flatMap(({ real }) => Object.values(real.ended));
  return ended.reduce((sum, count) => sum + count, 0) / minute.length;
}

async function shownRate(): Promise<number> {
  const tile = page.locator('figure-value[data-tile="Requests"] span').first();
  return Number((await tile.innerText()).replaceAll(/[^\d.]/g, ""));
}

test("what the demo wrote down is shown by a plain static host, and the figures are those of each moment", async () => {
  await page.goto(`${url}/?recording=/demo.jsonl&theme=light`);
  const moment = page.getByLabel("Moment of the recording");
  const last = frames.length - 1;
  for (const at of [last, 2, last]) {
    await moment.fill(String(at));
    await until(
      async () => Math.abs((await shownRate()) - rateAt(at)) <= 0.005 * rateAt(at) + 0.05,
      `moment ${at} shows its own rate, ${rateAt(at)}`,
    );
  }
  expect(await page.locator("[data-replica]").count()).toBe(3);
  expect(await page.locator("[data-slo]").count()).toBe(3);
  await page.locator("events-lane tr", { hasText: "replica up" }).first().waitFor();
  expect(errors).toEqual([]);
  expect(asked.filter((one) => !one.startsWith(url))).toEqual([]);
});

test("its file is opened by the key o where no proxy is, and played", async () => {
  const dialog = nextFileDialog(page);
  await page.goto(url);
  await page.getByText(/disconnected since/).waitFor();
  await page.keyboard.press("o");
  await (await dialog).setFiles(file);
  await page.locator("recording-bar", { hasText: "demo.jsonl" }).waitFor();
  await page.getByLabel("Speed").selectOption("60");
  await page.getByRole("button", { name: "▶ play" }).waitFor();
  expect(await page.getByLabel("Moment of the recording").inputValue()).toBe(
    String(frames.length - 1),
  );
  await goByKeys(page, "gr", "Replicas");
  await page.locator("[data-replica]").first().waitFor();
  expect(errors).toEqual([]);
});

test("the board opened as a file says what it needs instead of nothing", async () => {
  await page.goto(pathToFileURL(join(DIST, "index.html")).href);
  await page.getByText(/needs a web server.*pitot demo.*static host/s).waitFor();
});
