import { type Context, Hono } from "hono";
import { FleetError } from "../upstream/fleet.ts";
import { refuse } from "./answer.ts";
import type { AdminOptions } from "./app.ts";
import { openApi } from "./openapi.ts";
import { requestRoutes } from "./request-routes.ts";
import { sweepRoutes } from "./sweep-routes.ts";
import { telemetryRoutes } from "./telemetry-routes.ts";
import { recordTrace } from "./trace-route.ts";

const FLEET_STATUS = { not_found: 404, invalid_replica: 400, conflict: 409 } as const;

/** `/api/v1`: one small router a subject. */
export function apiRoutes(options: AdminOptions): Hono {
  const api = new Hono();
  api.route("/", telemetryRoutes(options));
  api.route("/requests", requestRoutes(options));
  api.route("/replicas", replicaRoutes(options));
  if (options.sweeps !== undefined) api.route("/sweeps", sweepRoutes(options.sweeps));
  api.get("/trace", (context) => recordTrace(context, options));
  api.get("/config", (context) => context.json(options.shownConfig()));
  api.get("/openapi.json", (context) => context.json(openApi(options.release)));
  api.all("*", (context) =>
    refuse(context, 404, "not_found", `There is no ${context.req.path.slice(0, 200)}.`),
  );
  return api;
}

/** `/api/v1/replicas`: the fleet. */
function replicaRoutes({ fleet }: AdminOptions): Hono {
  const routes = new Hono();
  routes.get("/", (context) => context.json({ replicas: fleet.views() }));
  routes.post("/", async (context) => {
    const body = (await context.req.json().catch(() => null)) as { url?: unknown } | null;
    const url = body?.url;
    if (typeof url !== "string")
      return refuse(context, 400, "invalid_replica", 'Send {"url": "http://host:port"}.');
    return change(context, () => fleet.add(url));
  });
  routes.delete("/:id", (context) => change(context, () => fleet.remove(context.req.param("id"))));
  for (const action of ["drain", "undrain", "disable"] as const) {
    routes.post(`/:id/${action}`, (context) =>
      change(context, () => fleet[action](context.req.param("id"))),
    );
  }
  return routes;
}

/** Does what was asked; a wish the fleet cannot fulfil becomes its status and sentence. */
function change(context: Context, act: () => unknown): Response {
  try {
    act();
    return context.json({ ok: true });
  } catch (error) {
    if (error instanceof FleetError)
      return refuse(context, FLEET_STATUS[error.code], error.code, error.message);
    throw error;
  }
}
