import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { goByKeys, nextFileDialog } from "./board-page.ts";
import { openChromium } from "./chromium.ts";
import { NOWHERE, openWithoutServer } from "./recording.ts";
import { syntheticRecording } from "./synthetic-recording.ts";

const SECONDS = 30;
const FILES = {
  "/keys.jsonl": syntheticRecording({ replicas: 3, seconds: SECONDS, requestsPerSecond: 6 }),
};

let browser: Browser;
let page: Page;

beforeAll(async () => {
  browser = await openChromium();
});
afterAll(() => browser.close());
beforeEach(async () => {
  page = await openWithoutServer(browser, FILES, {
    viewport: { width: 1440, height: 1000 },
  });
  return () => page.context().close();
});

async function open(path: string): Promise<void> {
  await page.goto(`${NOWHERE}${path}?recording=/keys.jsonl`);
  const moment = page.getByLabel("Moment of the recording");
  await moment.fill(String(SECONDS));
  await page.getByRole("button", { name: "▶ play" }).waitFor();
  await moment.blur();
}

/** What has the focus, through every shadow tree. */
function focused(): Promise<string> {
  return page.evaluate<string>(`(() => {
    let one = document.activeElement;
    while (one?.shadowRoot?.activeElement) one = one.shadowRoot.activeElement;
    return one === null ? "" : (one.dataset.request ?? one.getAttribute("aria-label") ?? one.textContent.trim());
  })()`);
}

const toPage = (keys: string, heading: string) => async (): Promise<void> => {
  await open(heading === "Live" ? "/plan" : "/");
  await goByKeys(page, keys, heading);
};

/** Each key of the help, and what it must do. */
const DOES: Readonly<Record<string, () => Promise<void>>> = {
  "g l": toPage("gl", "Live"),
  "g r": toPage("gr", "Replicas"),
  "g q": toPage("gq", "Requests"),
  "g s": toPage("gs", "Sweeps"),
  "g a": toPage("ga", "Almanac"),
  "g p": toPage("gp", "Plan"),
  "/": async () => {
    await open("/requests");
    await page.keyboard.press("/");
    expect(await focused()).toBe("Replica");
  },
  t: async () => {
    await open("/");
    await page.keyboard.press("t");
    expect(await focused()).toBe("15m");
  },
  "[ and ]": async () => {
    await open("/");
    await page.keyboard.press("]");
    await page.waitForURL(/range=1h/);
    await page.keyboard.press("[");
    await page.waitForURL((url) => url.searchParams.get("range") !== "1h");
  },
  space: async () => {
    await open("/");
    await page.keyboard.press(" ");
    await page.getByRole("button", { name: "❚❚ pause" }).first().waitFor();
  },
  "j and k": async () => {
    await open("/requests");
    const rows: string[] = [];
    for (const key of ["j", "j", "k"]) {
      await page.keyboard.press(key);
      rows.push(await focused());
    }
    expect(rows[0]).not.toBe(rows[1]);
    expect(rows[2]).toBe(rows[0]);
  },
  enter: async () => {
    await open("/requests");
    await page.locator("request-list tr[tabindex]").first().focus();
    await page.keyboard.press("Enter");
    await page.locator("request-detail dialog").waitFor();
  },
  z: async () => {
    await open("/");
    await page.keyboard.press("z");
    await page.waitForURL(/zoom=/);
    await page.keyboard.press("z");
    await page.waitForURL((url) => !url.searchParams.has("zoom"));
  },
  o: async () => {
    const dialog = nextFileDialog(page);
    await open("/");
    await page.keyboard.press("o");
    await dialog;
  },
  e: async () => {
    await open("/replicas");
    const saved = page.waitForEvent("download");
    await page.keyboard.press("e");
    expect((await saved).suggestedFilename()).toBe("pitot-replicas.csv");
  },
  u: async () => {
    await open("/");
    await page.keyboard.press("u");
    await page.waitForURL(/utc=1/);
  },
  c: async () => {
    await open("/replicas");
    await page.keyboard.press("c");
    // Pasted, since a page over plain HTTP may not read the clipboard.
    await page.evaluate("document.body.append(document.createElement('textarea'))");
    const pasted = page.locator("body > textarea");
    await pasted.focus();
    await page.keyboard.press("ControlOrMeta+v");
    expect(await pasted.inputValue()).toBe(page.url());
  },
  esc: async () => {
    await open("/requests");
    await page.locator("request-list tr[tabindex]").first().click();
    await page.locator("request-detail dialog").waitFor();
    await page.keyboard.press("Escape");
    await page.locator("request-detail").waitFor({ state: "detached" });
  },
  "?": async () => {
    await open("/");
    await page.keyboard.press("?");
    await page.getByText("copy a link to what you see").waitFor();
  },
};

test("the help names every key there is, and no other", async () => {
  await open("/");
  await page.keyboard.press("?");
  await page.getByText("copy a link to what you see").waitFor();
  expect(await page.locator("key-help kbd").allTextContents()).toEqual(Object.keys(DOES));
});

test.each(Object.keys(DOES))("the key %s does what the help says", async (key) => {
  await DOES[key]!();
});
