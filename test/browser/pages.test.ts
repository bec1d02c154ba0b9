import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { chatBody, JSON_HEADERS, startFleet, type TestFleet, until } from "../harness/fleet.ts";
import { startTraceTraffic, type TraceTraffic } from "../harness/trace-traffic.ts";
import { seriousFindings } from "./axe.ts";
import { fitsSideways, goByKeys, openBoard } from "./board-page.ts";
import { openChromium, openPage } from "./chromium.ts";

const PATHS = ["/", "/replicas", "/replicas/vllm-0", "/requests", "/sweeps", "/almanac", "/plan"];

let fleet: TestFleet;
let browser: Browser;
let page: Page;
let errors: string[];
let traffic: TraceTraffic;

beforeAll(async () => {
  fleet = await startFleet(["vllm", "vllm", "sglang", "tensorrt-llm"], {
    engine: { speed: 2 },
    proxy: {
      policy: "round-robin",
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
  traffic = await startTraceTraffic(fleet, { speed: 3 });
  browser = await openChromium();
}, 60_000);

afterAll(async () => {
  await browser.close();
  await traffic.stop();
  await fleet.stop();
});

beforeEach(async () => {
  page = await openPage(browser, { viewport: { width: 1440, height: 1000 } });
  errors = [];
  page.on("pageerror", (error) => errors.push(error.message));
  return () => page.context().close();
});

async function open(path: string): Promise<void> {
  await openBoard(page, fleet.proxy.adminUrl + path);
}

describe.each(PATHS)("the page %s", (path) => {
  test("has no serious accessibility finding in any theme, and no error", async () => {
    for (const theme of ["dark", "light", "contrast"]) {
      await open(`${path}?theme=${theme}`);
      expect([theme, await seriousFindings(page)]).toEqual([theme, []]);
    }
    expect(errors).toEqual([]);
  });

  test("fits a wall, a laptop and a phone without scrolling sideways", async () => {
    await open(path);
    for (const width of [1920, 1280, 390]) {
      await page.setViewportSize({ width, height: 900 });
      // Charts follow a new width a frame or two later.
      await until(() => fitsSideways(page), `${width} pixels hold it`, 3_000);
    }
  });
});

test.each(["/", "/replicas", "/requests"])("a laptop shows every column of %s", async (path) => {
  // Of 1,280 pixels, a scroll bar takes 15.
  await page.setViewportSize({ width: 1265, height: 900 });
  await open(path);
  const tables = await page.locator(".scroll:has(table.live)").all();
  expect(tables.length).toBeGreaterThan(0);
  for (const table of tables)
    await until(
      () =>
        table.evaluate(
          (one: { scrollWidth: number; clientWidth: number }) => one.scrollWidth <= one.clientWidth,
        ),
      "nothing is beyond the edge",
      3_000,
    );
});

describe("going about", () => {
  test("by keyboard alone reaches every page, its rows, a request and back", async () => {
    await open("/");
    for (const [keys, heading] of [
      ["gr", "Replicas"],
      ["gs", "Sweeps"],
      ["ga", "Almanac"],
      ["gp", "Plan"],
      ["gq", "Requests"],
    ] as const)
      await goByKeys(page, keys, heading);
    await page.locator("request-list tr[tabindex]").first().waitFor();
    await page.locator("request-list tr[tabindex]").first().focus();
    await page.keyboard.press("Enter");
    await page.locator("request-detail dl").waitFor();
    expect(page.url()).toMatch(/\/requests\/[0-9a-f-]{36}/);
    await page.keyboard.press("Escape");
    await page.locator("request-detail").waitFor({ state: "detached" });
    await page.keyboard.press("?");
    await page.getByText("copy a link to what you see").waitFor();
  });

  test("keeps what is seen in the address, and the address brings it back", async () => {
    await open("/requests");
    await page.getByRole("button", { name: "slowest" }).click();
    await page.getByLabel("Replica").selectOption("vllm-1");
    await page.waitForURL(/preset=slowest.*replica=vllm-1/);
    await page.reload();
    expect(await page.getByRole("button", { name: "slowest" }).getAttribute("aria-pressed")).toBe(
      "true",
    );
    expect(await page.getByLabel("Replica").inputValue()).toBe("vllm-1");
    await page.goto(`${fleet.proxy.adminUrl}/requests?preset=%F0%9F&range=never`);
    await page.getByRole("heading", { level: 1, name: "Requests" }).waitFor();
    expect(errors).toEqual([]);
  });

  test("a link opened in a tab of its own shows the same range in the same theme", async () => {
    await open("/?theme=contrast&range=1h&slo=chat&token=none");
    for (const [link, path] of [
      ["nav-rail a[title^=Replicas]", "/replicas"],
      ["replica-table a.name", "/replicas/"],
    ] as const) {
      const { href, isLeft } = await page
        .locator(link)
        .first()
        .evaluate((anchor: EventTarget & { readonly href: string }) => {
          const click = new Event("click", { bubbles: true, composed: true, cancelable: true });
          Object.assign(click, { ctrlKey: true, button: 0 });
          return { href: anchor.href, isLeft: anchor.dispatchEvent(click) };
        });
      // The browser is left to open it.
      expect(isLeft).toBe(true);
      const { pathname, searchParams } = new URL(href);
      expect(pathname.startsWith(path)).toBe(true);
      expect(Object.fromEntries(searchParams)).toEqual({
        theme: "contrast",
        range: "1h",
        token: "none",
      });
    }
    expect(new URL(page.url()).pathname).toBe("/");
  });

  test("a longer range is drawn from history", async () => {
    await open("/?range=6h");
    await page
      .getByText(/6h, n = \d+/)
      .first()
      .waitFor();
    expect(await page.getByRole("button", { name: "6h" }).getAttribute("aria-pressed")).toBe(
      "true",
    );
  });

  test("paused charts stand still and say so", async () => {
    await open("/");
    await page.keyboard.press(" ");
    await page.getByText(/paused at/).waitFor();
    await page.keyboard.press(" ");
    await page.getByText(/paused at/).waitFor({ state: "detached" });
  });

  test("a wall screen has no rail and says in red when it is cut off", async () => {
    await open("/?kiosk=1");
    expect(await page.locator("nav-rail").count()).toBe(0);
  });
});

test("a promise is a card with its budget, and its figures explain themselves", async () => {
  await open("/");
  const card = page.locator('[data-slo="chat"]');
  await card.waitFor();
  expect(await card.innerText()).toContain("95");
  await until(
    async () => /\d %/.test((await card.innerText()).replaceAll("\u202f", " ")),
    "attainment is shown",
  );
  await card.locator("figure-value").first().focus();
  await card.getByText(/Good of valid requests/).waitFor();
});

test("a replica is drained after saying what will happen, and put back", async () => {
  await open("/replicas/sglang-2");
  await page.getByRole("button", { name: "drain…" }).click();
  await page.getByText(/gets no new requests/).waitFor();
  expect(await page.locator("replica-actions dialog").innerText()).toMatch(/3 replicas left/);
  await page.getByRole("button", { name: "drain", exact: true }).click();
  const state = (): string | undefined =>
    fleet.proxy.fleet.views().find(({ id }) => id === "sglang-2")?.state;
  await until(() => state() === "draining", "it drains");
  await page.getByRole("button", { name: "undo" }).click();
  await until(() => state() === "up", "it is back");
});

test("a replica gone slow is found in three clicks: which, since when, which requests suffer", async () => {
  // A fleet of its own, asked a few at a time: on a busy machine every replica of a crowded one is slow.
  const own = await startFleet(["vllm", "vllm", "sglang", "tensorrt-llm"], {
    engine: { speed: 4 },
    // Least in flight would route around the slow replica, and most readers would never see it.
    proxy: { policy: "round-robin" },
  });
  const ask = async (requests: number): Promise<void> => {
    const body = chatBody({ tokens: 4 });
    for (let asked = 0; asked < requests; asked += 16)
      await Promise.all(
        Array.from({ length: 16 }, async () => {
          const url = `${own.proxy.dataUrl}/v1/chat/completions`;
          await (await fetch(url, { method: "POST", headers: JSON_HEADERS, body })).text();
        }),
      );
  };
  try {
    await ask(80);
    // Slower than anything a busy machine makes of the others, and as many as the list of the slowest shows.
    own.engines[1]!.setFaults([{ kind: "slow", factor: 150 }]);
    await ask(160);
    await openBoard(page, own.proxy.adminUrl);
    await page.getByRole("link", { name: "Requests" }).click();
    await page.getByRole("button", { name: "slowest" }).click();
    const trait = page.locator('[data-trait="replica"]');
    await trait.waitFor();
    expect(await trait.innerText()).toMatch(/^replica vllm-1: \d+/);
    await page.getByText(/they began between/).waitFor();
    await trait.click();
    await page.waitForURL(/replica=vllm-1/);
    await until(async () => {
      const replicas = await page
        .locator("request-list tbody tr td:nth-child(5)")
        .allTextContents();
      return replicas.length > 5 && replicas.every((text) => text === "vllm-1");
    }, "the list is that replica's");
  } finally {
    await own.stop();
  }
}, 240_000);
