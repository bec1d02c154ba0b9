import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { openPage } from "./chromium.ts";

const DIST = join(import.meta.dirname, "..", "..", "dashboard", "dist");
/** A host nobody answers for: what the browser gets, the test gave it. */
export const NOWHERE = "http://board.test";
const TYPES: Readonly<Record<string, string>> = {
  css: "text/css",
  html: "text/html",
  js: "text/javascript",
  svg: "image/svg+xml",
};

/** A page whose host is the built board's folder and the given files, and nothing else: no proxy, no network. */
export async function openWithoutServer(
  browser: Browser,
  files: Readonly<Record<string, string>>,
  options: BrowserContextOptions = {},
): Promise<Page> {
  const page = await openPage(browser, options);
  await page.route("**/*", async (route) => {
    const { pathname, origin } = new URL(route.request().url());
    if (origin !== NOWHERE) return route.abort();
    const given = files[pathname];
    if (given !== undefined) return route.fulfill({ body: given, contentType: "text/plain" });
    if (pathname.startsWith("/api/")) return route.abort();
    const asked = join(DIST, pathname);
    // As every static host does: an address without a file is the one page.
    const path = pathname !== "/" && existsSync(asked) ? asked : join(DIST, "index.html");
    return route.fulfill({
      body: readFileSync(path),
      contentType: TYPES[path.split(".").at(-1) ?? ""] ?? "application/octet-stream",
    });
  });
  return page;
}
