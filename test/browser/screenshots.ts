import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import type { Browser, Page } from "playwright-core";
import { systemClock } from "../../engines/clock.ts";
import { startDemo } from "../harness/demo.ts";
import { openBoard } from "./board-page.ts";
import { openChromium, openPage } from "./chromium.ts";

/**
 * Takes the pictures in docs/screenshots off running `pitot demo`s: `node test/browser/screenshots.ts [folder] [seconds of quiet]
 * [seconds of incident]`, with `--only fleet` or `--only sweep` a part of them. Nothing else may run meanwhile: the sweep would
 * say so.
 */
const { values, positionals } = parseArgs({
  options: { only: { type: "string" } },
  allowPositionals: true,
});
const { only } = values;
const [folder = "docs/screenshots", quietS = "240", incidentS = "150"] = positionals;
const root = join(import.meta.dirname, "..", "..");

interface Shot {
  readonly name: string;
  readonly path: string;
  readonly width?: number;
  readonly height?: number;
  /** What is done to the page before the picture is taken. */
  readonly act?: (page: Page) => Promise<void>;
}

/** A page of documentation holds several. */
const BYTES_MAX = 150_000;
const THEMES = ["dark", "light"] as const;
const themed = (name: string, path: string, rest: Partial<Shot> = {}): Shot[] =>
  THEMES.map((theme) => ({
    name: `${name}-${theme}`,
    path: `${path}${path.includes("?") ? "&" : "?"}theme=${theme}`,
    ...rest,
  }));

const QUIET: readonly Shot[] = [
  ...themed("live", "/", { height: 1_280 }),
  { name: "live-1920", path: "/?theme=dark", width: 1_920, height: 1_080 },
  { name: "live-1280", path: "/?theme=light", width: 1_280, height: 900 },
  { name: "live-390", path: "/?theme=dark", width: 390, height: 1_400 },
  { name: "requests-390", path: "/requests?theme=light", width: 390, height: 1_000 },
  { name: "wall", path: "/?theme=dark&kiosk=1", width: 1_920, height: 1_080 },
  ...themed("replicas", "/replicas", { height: 800 }),
  ...themed("requests", "/requests", { height: 900 }),
  ...themed("request", "/requests", { height: 900, act: openFirst }),
  ...themed("almanac", "/almanac", { height: 420 }),
  ...themed("plan", "/plan", { height: 420 }),
  { name: "contrast", path: "/?theme=contrast", height: 900 },
  { name: "keys", path: "/?theme=dark", height: 900, act: (page) => page.keyboard.press("?") },
];
const SWEPT: readonly Shot[] = [
  ...themed("replica", "/replicas/sglang-0?range=5m", { height: 1_000 }),
  ...themed("sweeps", "/sweeps", { height: 800 }),
];
/** Before the sweep, and after it for as long as the range that is shown. */
const WARM_S = 60;
const SETTLED_S = 300;
/** Held rates of a sweep under way that make a curve. */
const RATES = 2;
/** Into a point, when it has figures of its own. */
const PROGRESS_MS = 15_000;
const INCIDENT: readonly Shot[] = [
  ...themed("incident", "/", { height: 1_280 }),
  ...themed("incident-replicas", "/replicas", { height: 800 }),
  ...themed("incident-requests", "/requests?preset=slowest", { height: 900 }),
  { name: "incident-wall", path: "/?theme=dark&kiosk=1", width: 1_920, height: 1_080 },
];

async function openFirst(page: Page): Promise<void> {
  await page.locator("request-list tbody tr[tabindex]").first().click();
  await page.locator("request-detail svg").waitFor();
}

async function take(browser: Browser, adminUrl: string, shot: Shot): Promise<void> {
  const { name, path, width = 1_440, height = 900, act } = shot;
  const page = await openPage(browser, { viewport: { width, height } });
  await openBoard(page, adminUrl + path);
  // Two frames of the feed: ages and rates have moved.
  await systemClock.after(2_500);
  await act?.(page);
  const png = await page.screenshot({ animations: "disabled" });
  writeFileSync(resolve(root, folder, `${name}.webp`), await asWebp(page, png));
  await page.context().close();
}

/** As small as it gets without losing a pixel, and where that is too large, with losses nobody sees. */
async function asWebp(page: Page, png: Buffer): Promise<Buffer> {
  const encoded = await page.evaluate<string>(`(async () => {
    const source = Uint8Array.from(atob("${png.toString("base64")}"), (one) => one.charCodeAt(0));
    const image = await createImageBitmap(new Blob([source], { type: "image/png" }));
    const canvas = new OffscreenCanvas(image.width, image.height);
    canvas.getContext("2d").drawImage(image, 0, 0);
    for (const quality of [1, 0.9, 0.8]) {
      const blob = await canvas.convertToBlob({ type: "image/webp", quality });
      if (blob.size <= ${BYTES_MAX} || quality === 0.8)
        return new Promise((resolve) => {
          const reader = new FileReader();
          reader.onload = () => resolve(reader.result.split(",")[1]);
          reader.readAsDataURL(blob);
        });
    }
  })()`);
  return Buffer.from(encoded, "base64");
}

async function asked<T>(
  url: string,
  options: { method?: string; body?: unknown } = {},
): Promise<T> {
  const { method = "GET", body } = options;
  const answer = await fetch(url, {
    method,
    headers: { "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!answer.ok) throw new Error(`${method} ${url}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as T;
}

interface Sweep {
  readonly state: string;
  readonly headline: string | null;
  readonly endedMs: number | null;
  readonly progress: { readonly elapsedMs: number } | null;
  readonly finished: readonly {
    readonly point: {
      readonly pointId: string;
      readonly stage: string;
      readonly valid: boolean;
      readonly invalidBecause: string | null;
    };
  }[];
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** A whole curve: a sweep that was disturbed is no picture of one. */
async function sweepOf(browser: Browser, adminUrl: string): Promise<void> {
  const sweeps = `${adminUrl}/api/v1/sweeps`;
  const order = {
    replica: "sglang-0",
    preset: "quick",
    shapes: ["1024x128"],
    objectives: ["ttft_p50<=300ms", "ttft_p95<=1s"],
    path: "direct",
  };
  const { id } = await asked<{ id: string }>(sweeps, { method: "POST", body: order });
  const view = (): Promise<Sweep> => asked(`${sweeps}/${id}`);
  const rates = ({ finished }: Sweep): number =>
    finished.filter(({ point }) => point.stage === "envelope" && point.valid).length;
  const isTold = (now: Sweep): boolean =>
    now.endedMs !== null || (rates(now) >= RATES && (now.progress?.elapsedMs ?? 0) > PROGRESS_MS);
  while (!isTold(await view())) await systemClock.after(500);
  for (const shot of themed("sweep-running", `/sweeps/${id}`, { height: 1_200 }))
    await take(browser, adminUrl, shot);
  while ((await view()).endedMs === null) await systemClock.after(1_000);
  for (const shot of themed("sweep", `/sweeps/${id}`, { height: 1_460 }))
    await take(browser, adminUrl, shot);
  const { state, headline, finished } = await view();
  say(`sweep ${state}, ${finished.length} points: ${headline ?? "no headline"}`);
  for (const { point } of finished)
    if (!point.valid) say(`invalid: ${point.pointId}: ${point.invalidBecause ?? ""}`);
}

interface Replica {
  readonly id: string;
  readonly url: string;
}

/** A quiet fleet, then one of its replicas three times slower. */
async function fleetOf(browser: Browser, adminUrl: string): Promise<void> {
  await systemClock.after(Number(quietS) * 1_000);
  for (const shot of QUIET) await take(browser, adminUrl, shot);
  const { replicas } = await asked<{ replicas: Replica[] }>(`${adminUrl}/api/v1/state`);
  const slow = replicas.find(({ id }) => id === "vllm-1");
  if (slow === undefined) throw new Error("the demo has no replica vllm-1");
  await asked(`${slow.url}/_sim/faults`, { method: "PUT", body: [{ kind: "slow", factor: 3 }] });
  await systemClock.after(Number(incidentS) * 1_000);
  for (const shot of INCIDENT) await take(browser, adminUrl, shot);
}

/** A whole sweep, then its replica back among the others for as long as the range that is shown. */
async function sweptOf(browser: Browser, adminUrl: string): Promise<void> {
  await systemClock.after(WARM_S * 1_000);
  await sweepOf(browser, adminUrl);
  await systemClock.after(SETTLED_S * 1_000);
  for (const shot of SWEPT) await take(browser, adminUrl, shot);
}

/** Of one demo each: a sweep needs more of the machine than the usual traffic leaves of a small one. */
const PARTS = {
  fleet: { flags: [], of: fleetOf },
  sweep: { flags: ["--speed", "1"], of: sweptOf },
};

mkdirSync(resolve(root, folder), { recursive: true });
const browser = await openChromium();
try {
  for (const [name, { flags, of }] of Object.entries(PARTS)) {
    if (only !== undefined && only !== name) continue;
    const demo = await startDemo(flags);
    try {
      await of(browser, demo.adminUrl);
    } finally {
      await demo.stop();
    }
  }
} finally {
  await browser.close();
}
