import { spawn } from "node:child_process";
import { join } from "node:path";
import { systemClock } from "../../engines/clock.ts";
import { openChromium, openPage } from "./chromium.ts";

/** Takes the pictures in docs/screenshots of the running demo: `node test/browser/screenshots.ts [seconds to warm up]`. */
const SHOTS = [
  { name: "live-dark", theme: "dark", width: 1440, height: 1280 },
  { name: "live-light", theme: "light", width: 1440, height: 1280 },
  { name: "live-1920", theme: "dark", width: 1920, height: 1200 },
  { name: "live-390", theme: "dark", width: 390, height: 1600 },
] as const;

const warmUpMs = Number(process.argv[2] ?? 90) * 1000;
const root = join(import.meta.dirname, "..", "..");
const demo = spawn(
  process.execPath,
  [join(root, "proxy/cli.ts"), "demo", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"],
  { stdio: ["ignore", "pipe", "inherit"] },
);
const board = await new Promise<string>((resolve) => {
  let text = "";
  demo.stdout.on("data", (chunk: Buffer) => {
    text += chunk.toString();
    const found = /board\s+(\S+)/.exec(text)?.[1];
    if (found !== undefined) resolve(found);
  });
});
await systemClock.after(warmUpMs);
const browser = await openChromium();
try {
  for (const { name, theme, width, height } of SHOTS) {
    const page = await openPage(browser, { viewport: { width, height } });
    await page.goto(`${board}?theme=${theme}`);
    await page.getByText("live", { exact: true }).waitFor();
    await systemClock.after(1500);
    await page.screenshot({ path: join(root, `docs/screenshots/${name}.png`) });
    await page.close();
  }
  const page = await openPage(browser, { viewport: { width: 1440, height: 1000 } });
  await page.goto(`${board}?theme=dark`);
  await page.locator("recent-table tbody tr[tabindex]").first().click();
  await page.locator("request-detail dl").waitFor();
  await page.screenshot({ path: join(root, "docs/screenshots/request.png") });
} finally {
  await browser.close();
  demo.kill("SIGINT");
}
