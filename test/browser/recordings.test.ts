import { readFileSync } from "node:fs";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { until } from "../harness/fleet.ts";
import { goByKeys } from "./board-page.ts";
import { openChromium } from "./chromium.ts";
import { NOWHERE, openWithoutServer } from "./recording.ts";
import { syntheticRecording } from "./synthetic-recording.ts";

const SECONDS = 40;
const RECORDING = syntheticRecording({ replicas: 6, seconds: SECONDS, requestsPerSecond: 12 });
const FILES = {
  "/good.jsonl": RECORDING,
  "/wide.jsonl": syntheticRecording({ replicas: 64, seconds: 8, requestsPerSecond: 300 }),
  "/cut.jsonl": RECORDING.slice(0, -200),
  "/other.jsonl": "hello\n",
  "/newer.jsonl": RECORDING.replace('"frameVersion":2', '"frameVersion":9'),
  "/headless.jsonl": RECORDING.replace(/\n.*?\n/, "\n"),
};

let browser: Browser;
let page: Page;
let errors: string[];

beforeAll(async () => {
  browser = await openChromium();
});
afterAll(() => browser.close());
beforeEach(async () => {
  page = await openWithoutServer(browser, FILES, { viewport: { width: 1440, height: 1000 } });
  errors = [];
  page.on("pageerror", (error) => errors.push(error.message));
});
afterEach(() => page.context().close());

async function atEnd(path: string): Promise<void> {
  await page.goto(`${NOWHERE}${path}`);
  const moment = page.getByLabel("Moment of the recording");
  await moment.waitFor();
  await moment.fill(String(SECONDS));
  await page.getByRole("button", { name: "▶ play" }).waitFor();
}

describe("a recording without a server", () => {
  test("plays in time, says what it is, and moves to the moment a reader picks", async () => {
    await page.goto(`${NOWHERE}/?recording=/good.jsonl`);
    await page.locator("recording-bar b", { hasText: "recording" }).waitFor();
    await page.locator("status-strip [role=status]", { hasText: "recording" }).waitFor();
    await page.getByLabel("Speed").selectOption("60");
    await page.getByRole("button", { name: "▶ play" }).waitFor();
    expect(await page.getByLabel("Moment of the recording").inputValue()).toBe(String(SECONDS));
    expect(
      await page.locator('figure-value[data-tile="Requests"] span').first().innerText(),
    ).toMatch(/1[12]\.\d/);
    await page.getByLabel("Moment of the recording").fill("3");
    await page.getByText("3.0 s of 40 s".replaceAll(/(\d) s/g, "$1\u202fs")).waitFor();
    expect(errors).toEqual([]);
  });

  test("is opened by dropping its file on the page", async () => {
    await page.goto(NOWHERE);
    await page.getByText(/disconnected since/).waitFor();
    await page.getByRole("button", { name: "open one…" }).waitFor();
    const data = await page.evaluateHandle(
      `(async () => { const data = new DataTransfer(); const text = await (await fetch("/good.jsonl")).text();
        data.items.add(new File([text], "monday.jsonl")); return data; })()`,
    );
    await page.dispatchEvent("body", "drop", { dataTransfer: data });
    await page.locator("recording-bar", { hasText: "monday.jsonl" }).waitFor();
    await until(() => page.url().startsWith(NOWHERE), "it stays where it is");
  });

  test.each([
    ["/other.jsonl", /no recording of Pitot.*pitot demo --record/],
    ["/newer.jsonl", /version 1\/9 and this board reads 1\/2: open it with release 0\.0\.0/],
    ["/headless.jsonl", /does not begin with a snapshot/],
    ["/absent.jsonl", /no recording of Pitot|cannot be had/],
    ["http://elsewhere.test/good.jsonl", /another origin: put the file beside the board/],
  ])("says what is wrong with %s", async (file, sentence) => {
    await page.goto(`${NOWHERE}/?recording=${encodeURIComponent(file)}`);
    expect(await page.locator("recording-bar [role=alert]").innerText()).toMatch(sentence);
    expect(errors).toEqual([]);
  });

  test("whose last line was cut off plays up to there", async () => {
    await page.goto(`${NOWHERE}/?recording=/cut.jsonl`);
    expect(await page.getByLabel("Moment of the recording").getAttribute("max")).toBe(
      String(SECONDS - 1),
    );
  });

  test("offers its requests, filtered, and none of what only a proxy knows or does", async () => {
    await atEnd("/requests?recording=/good.jsonl");
    await page.getByLabel("Replica").selectOption("vllm-1");
    const replicas = page.locator("request-list tbody tr td:nth-child(5)");
    await until(
      async () => new Set(await replicas.allTextContents()).size === 1,
      "only that replica's are left",
    );
    await page.locator("request-list tr[tabindex]").first().click();
    await page.getByText(/A recording holds no waterfall/).waitFor();
    await page.keyboard.press("Escape");
    await goByKeys(page, "gr", "Replicas");
    await page.locator('[data-replica="vllm-1"] a').click();
    await page.getByRole("heading", { level: 1, name: /vllm-1/ }).waitFor();
    expect(await page.getByRole("button", { name: "drain…" }).count()).toBe(0);
    expect(errors).toEqual([]);
  });
});

test("of a wide fleet a row that was out of sight is as new as the others once it is scrolled to", async () => {
  await page.goto(`${NOWHERE}/replicas?recording=/wide.jsonl&cols=kv`);
  const moment = page.getByLabel("Moment of the recording");
  await moment.fill("4");
  for (const at of ["5", "6", "7", "8"]) {
    await moment.fill(at);
    await page.getByText(`${at}.0\u202fs of 8.0\u202fs`).waitFor();
  }
  const saved = page.waitForEvent("download");
  await page.locator("replica-table").getByRole("button", { name: "CSV" }).click();
  const csv = readFileSync(await (await saved).path(), "utf8")
    .trimEnd()
    .split("\r\n");
  const usage = Math.round(Number(csv.at(-1)?.split(",").at(-1)) * 100);
  const last = page.locator("[data-replica]").last();
  await last.scrollIntoViewIfNeeded();
  await until(
    async () => (await last.locator("td").last().innerText()) === `${usage}\u202f%`,
    "it shows what the figures say",
  );
  expect(errors).toEqual([]);
});

/** Share of pixels that differ visibly, out of two pictures. */
async function differing(one: Buffer, other: Buffer): Promise<number> {
  const pictures = JSON.stringify([one.toString("base64"), other.toString("base64")]);
  return page.evaluate<number>(
    `(async () => {
      const data = await Promise.all(${pictures}.map(async (picture) => {
        const image = await createImageBitmap(await (await fetch("data:image/png;base64," + picture)).blob());
        const pen = new OffscreenCanvas(image.width, image.height).getContext("2d");
        pen.drawImage(image, 0, 0);
        return pen.getImageData(0, 0, image.width, image.height).data;
      }));
      if (data[0].length !== data[1].length) return 1;
      let count = 0;
      for (let at = 0; at < data[0].length; at += 4)
        if ([0, 1, 2].some((part) => Math.abs(data[0][at + part] - data[1][at + part]) > 12)) count++;
      return count / (data[0].length / 4);
    })()`,
  );
}

/** Texts that do not fit where they stand, and panels that lie over each other. */
const FAULTS = `(() => {
  const found = [], panels = [];
  const walk = (root) => {
    for (const one of root.querySelectorAll("*")) {
      const isText = ["H1", "H2", "BUTTON", "DT", "DD", "LABEL"].includes(one.tagName) || one.classList.contains("number");
      if (isText && one.checkVisibility() && (one.scrollWidth > one.clientWidth + 1) && getComputedStyle(one).display !== "inline" && one.clientWidth > 0)
        found.push("clipped: " + one.tagName + " " + one.textContent.trim().slice(0, 40));
      if (/-(panel|bar|lane|table|row|cards|list)$/.test(one.localName) && one.checkVisibility()) panels.push(one);
      if (one.shadowRoot) walk(one.shadowRoot);
    }
  };
  walk(document);
  for (const [at, a] of panels.entries())
    for (const b of panels.slice(at + 1)) {
      const [one, other] = [a.getBoundingClientRect(), b.getBoundingClientRect()];
      if (one.width && other.width && one.left < other.right - 1 && other.left < one.right - 1 && one.top < other.bottom - 1 && other.top < one.bottom - 1)
        found.push("overlap: " + a.localName + " and " + b.localName);
    }
  return found;
})()`;

describe.each(["/", "/replicas", "/replicas/vllm-0", "/requests", "/sweeps", "/almanac", "/plan"])(
  "the page %s of a recording",
  (path) => {
    test("looks the same each time, clips no text and lays nothing over another", async () => {
      const pictures: Buffer[] = [];
      for (let time = 0; time < 2; time++) {
        await atEnd(`${path}?recording=/good.jsonl&theme=dark`);
        await page.mouse.move(0, 0);
        pictures.push(await page.screenshot({ animations: "disabled" }));
      }
      expect(await page.evaluate(FAULTS)).toEqual([]);
      expect(await differing(pictures[0]!, pictures[1]!)).toBeLessThan(0.002);
    });
  },
);

test("two moments of a recording do not look the same", async () => {
  await atEnd("/?recording=/good.jsonl");
  const late = await page.screenshot();
  await page.getByLabel("Moment of the recording").fill("5");
  await page.getByText("5.0\u202fs of 40\u202fs").waitFor();
  expect(await differing(late, await page.screenshot())).toBeGreaterThan(0.002);
});
