import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, normalize, sep } from "node:path";
import { timingSafeEqual } from "node:crypto";
import { type Context, Hono } from "hono";
import type { Clock } from "../../engines/clock.ts";
import { formOf } from "../telemetry/exposition-page.ts";
import type { SweepDesk } from "../synthetic/sweep-desk.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { Fleet } from "../upstream/fleet.ts";
import { apiRoutes } from "./api.ts";

export interface AdminOptions {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly fleet: Fleet;
  /** Sweeps of replicas from inside; without it there are none. */
  readonly sweeps?: SweepDesk;
  /** Where the built board lies. */
  readonly dashboardDir: string;
  /** Where clients connect; known once the listener runs. */
  readonly dataUrl: () => string;
  readonly release: string;
  /** The settings in force, redacted. */
  readonly shownConfig: () => object;
  /** Asked of every request when set. */
  readonly token: string | null;
}

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
  json: "application/json",
  woff2: "font/woff2",
  png: "image/png",
  map: "application/json",
};

/** Nothing the board loads or calls lies on another host. */
const POLICY =
  "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self' ws: wss:; frame-ancestors 'none'";

/** The control plane: board, API, metrics. */
export function adminApp(options: AdminOptions): Hono {
  const app = new Hono();
  app.use("*", async (context, next) => {
    if (!isAuthorised(context.req.header("authorization"), options.token)) {
      return context.json(
        {
          error: { code: "unauthorized", message: "Send the admin token: Authorization: Bearer …" },
        },
        401,
      );
    }
    await next();
    context.header("content-security-policy", POLICY);
    context.header("x-content-type-options", "nosniff");
    return undefined;
  });
  app.get("/metrics", async (context) => {
    const { telemetry, release } = options;
    telemetry.settle();
    const form = formOf(context.req.header("accept"));
    const { feed, slos } = telemetry;
    const page = await telemetry.prometheus.page(form, { feed, slos, release });
    return context.body(page.body, 200, { "content-type": page.contentType });
  });
  app.route("/api/v1", apiRoutes(options));
  app.get("*", (context) => serveBoard(context, options.dashboardDir));
  return app;
}

/** Compares in constant time; without a token everybody on the (loopback) socket may come in. */
export function isAuthorised(header: string | undefined, token: string | null): boolean {
  if (token === null) return true;
  const given = Buffer.from(header?.replace(/^Bearer /, "") ?? "");
  const wanted = Buffer.from(token);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

/** A file of the built board; every other path is a page of it, which is the same file. */
async function serveBoard(context: Context, directory: string): Promise<Response> {
  const path = normalize(context.req.path).replaceAll(sep, "/");
  const extension = path.split(".").at(-1) ?? "";
  const type = TYPES[extension];
  const file = type === undefined || path === "/" ? "index.html" : path;
  try {
    const body = await readFile(join(directory, file));
    const cache = path.startsWith("/assets/") ? "public, max-age=31536000, immutable" : "no-cache";
    return context.body(new Uint8Array(body), 200, {
      "content-type": type ?? TYPES["html"] ?? "",
      "cache-control": cache,
    });
  } catch {
    return file === "index.html"
      ? context.text("The board is not built: run `npm run build:dashboard`.", 503)
      : context.json({ error: { code: "not_found", message: `There is no ${path}.` } }, 404);
  }
}

/** Pitot's own version, from its package file. */
export function releaseOf(root: string): string {
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    version: string;
  };
  return manifest.version;
}
