import { join } from "node:path";
import { systemClock } from "../../engines/clock.ts";
import { startFleet } from "../harness/fleet.ts";
import { startTraceTraffic } from "../harness/trace-traffic.ts";
import { openBoard } from "./board-page.ts";
import { openChromium, openPage } from "./chromium.ts";

interface Shot {
  readonly name: string;
  readonly path: string;
  readonly width: number;
  readonly height: number;
}

const QUIET: readonly Shot[] = [
  { name: "live-dark", path: "/?theme=dark", width: 1440, height: 1280 },
  { name: "live-light", path: "/?theme=light", width: 1440, height: 1280 },
  { name: "live-1920", path: "/?theme=dark", width: 1920, height: 1200 },
  { name: "live-390", path: "/?theme=dark", width: 390, height: 1600 },
  { name: "wall", path: "/?theme=dark&kiosk=1", width: 1920, height: 1080 },
  { name: "replicas", path: "/replicas?theme=dark", width: 1440, height: 800 },
  { name: "replica", path: "/replicas/vllm-0?theme=dark", width: 1440, height: 800 },
  { name: "requests", path: "/requests?theme=light", width: 1440, height: 900 },
];
const INCIDENT: readonly Shot[] = [
  { name: "incident-dark", path: "/?theme=dark", width: 1440, height: 1280 },
  { name: "incident-replicas", path: "/replicas?theme=light", width: 1440, height: 800 },
  {
    name: "incident-requests",
    path: "/requests?theme=dark&preset=slowest",
    width: 1440,
    height: 900,
  },
];

/** Takes the pictures in docs/screenshots: `node test/browser/screenshots.ts [seconds to warm up] [seconds of incident]`. */
const [warmUpS = "90", incidentS = "60"] = process.argv.slice(2);
const folder = join(import.meta.dirname, "..", "..", "docs/screenshots");
const fleet = await startFleet(["vllm", "vllm", "sglang", "tensorrt-llm"], {
  proxy: {
    // Least in flight would route around the slow replica, and the picture would show little.
    policy: "round-robin",
    telemetry: {
      slos: [
        {
          name: "chat-first-token",
          objective: 0.95,
          targets: [{ metric: "ttft", belowMs: 300 }],
          windowMs: 28 * 86_400_000,
        },
        { name: "answered", objective: 0.999, windowMs: 28 * 86_400_000 },
      ],
    },
  },
});
const traffic = await startTraceTraffic(fleet, { speed: 2 });
const browser = await openChromium();

async function take({ name, path, width, height }: Shot): Promise<void> {
  const page = await openPage(browser, { viewport: { width, height } });
  await openBoard(page, fleet.proxy.adminUrl + path);
  await systemClock.after(1_500);
  await page.screenshot({ path: join(folder, `${name}.png`) });
  await page.context().close();
}

try {
  await systemClock.after(Number(warmUpS) * 1_000);
  for (const shot of QUIET) await take(shot);
  const page = await openPage(browser, { viewport: { width: 1440, height: 1000 } });
  await page.goto(`${fleet.proxy.adminUrl}/?theme=dark`);
  await page.locator("recent-table tbody tr[tabindex]").first().click();
  await page.locator("request-detail dl").waitFor();
  await page.screenshot({ path: join(folder, "request.png") });
  fleet.engines[1]?.setFaults([{ kind: "slow", factor: 8 }]);
  await systemClock.after(Number(incidentS) * 1_000);
  for (const shot of INCIDENT) await take(shot);
} finally {
  await traffic.stop();
  await browser.close();
  await fleet.stop();
}
