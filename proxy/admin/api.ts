import { type Context, Hono } from "hono";
import type { Exchange } from "../../engines/exchange.ts";
import { endedRow } from "../telemetry/exchange-ring.ts";
import { FleetError } from "../upstream/fleet.ts";
import type { AdminOptions } from "./app.ts";
import { windowFigures } from "./figure.ts";

/** Rows of one answer of the request list. */
const ROWS_DEFAULT = 100;
const ROWS_MAX = 1_000;
/** Figures of the state are over this window. */
const STATE_WINDOW_MS = 60_000;

const FLEET_STATUS = { not_found: 404, invalid_replica: 400, conflict: 409 } as const;

/** `/api/v1`. */
export function apiRoutes(options: AdminOptions): Hono {
  const { fleet, telemetry } = options;
  const api = new Hono();
  api.get("/state", (context) => context.json(state(options)));
  api.get("/replicas", (context) => context.json({ replicas: fleet.views() }));
  api.post("/replicas", async (context) => {
    const body = (await context.req.json().catch(() => null)) as { url?: unknown } | null;
    const url = body?.url;
    if (typeof url !== "string")
      return refuse(context, 400, "invalid_replica", 'Send {"url": "http://host:port"}.');
    return change(context, () => fleet.add(url));
  });
  api.delete("/replicas/:id", (context) =>
    change(context, () => fleet.remove(context.req.param("id"))),
  );
  for (const action of ["drain", "undrain", "disable"] as const) {
    api.post(`/replicas/:id/${action}`, (context) =>
      change(context, () => fleet[action](context.req.param("id"))),
    );
  }
  api.get("/requests", (context) => requests(context, options));
  api.get("/requests/:id", (context) => {
    const id = context.req.param("id");
    const exchange = telemetry.ring.find(id);
    if (exchange !== undefined) return context.json({ request: whole(exchange) });
    for (const timer of telemetry.feed.inFlight()) {
      if (timer.start.id === id)
        return context.json({ request: { ...timer.view(), state: "in-flight" } });
    }
    return refuse(
      context,
      404,
      "not_found",
      `No request ${id} is under way or among the last ones kept.`,
    );
  });
  api.get("/events", (context) => context.json({ events: telemetry.events }));
  api.all("*", (context) => refuse(context, 404, "not_found", `There is no ${context.req.path}.`));
  return api;
}

function state({ telemetry, fleet, clock, release, dataUrl }: AdminOptions): object {
  const { traffic, ring, feed } = telemetry;
  const figures = (population: "real" | "synthetic"): object =>
    windowFigures(traffic.window(STATE_WINDOW_MS, { population }), population);
  const replicas = fleet.views().map((view) => ({
    ...view,
    real: windowFigures(
      traffic.window(STATE_WINDOW_MS, { population: "real", replica: view.id }),
      "real",
    ),
    synthetic: windowFigures(
      traffic.window(STATE_WINDOW_MS, { population: "synthetic", replica: view.id }),
      "synthetic",
    ),
  }));
  return {
    release,
    nowMs: clock.nowMs(),
    dataUrl: dataUrl(),
    endedTotal: ring.total,
    inFlight: feed.inFlightCount,
    real: figures("real"),
    synthetic: figures("synthetic"),
    replicas,
    slos: [],
    sweeps: [],
  };
}

function requests(context: Context, { telemetry }: AdminOptions): Response {
  const asked = context.req.query("limit");
  const limit = asked === undefined ? ROWS_DEFAULT : Number(asked);
  if (!Number.isInteger(limit) || limit < 1 || limit > ROWS_MAX) {
    return refuse(
      context,
      400,
      "invalid_query",
      `limit "${asked}" is not a whole number from 1 to ${ROWS_MAX}.`,
    );
  }
  const wanted = context.req.query("state") ?? "ended";
  if (wanted === "in-flight") {
    const rows = [...telemetry.feed.inFlight()].slice(0, limit).map((timer) => timer.view());
    return context.json({ requests: rows, total: telemetry.feed.inFlightCount });
  }
  if (wanted !== "ended")
    return refuse(
      context,
      400,
      "invalid_query",
      `state "${wanted}" is neither in-flight nor ended.`,
    );
  const { replica, model, outcome, origin } = context.req.query();
  const matches = (exchange: Exchange): boolean =>
    (replica === undefined || exchange.replica === replica) &&
    (model === undefined || exchange.model === model) &&
    (outcome === undefined || exchange.outcome.kind === outcome) &&
    (origin === undefined || exchange.origin === origin);
  const rows = [];
  for (const exchange of telemetry.ring.newest()) {
    if (matches(exchange) && rows.push(endedRow(exchange)) === limit) break;
  }
  return context.json({ requests: rows, total: telemetry.ring.total });
}

/** Everything about one exchange; the offsets of its events draw the waterfall. */
function whole(exchange: Exchange): object {
  return {
    ...exchange,
    ...endedRow(exchange),
    outcome: exchange.outcome,
    attempts: exchange.attempts,
    outputOffsetsMs: [...exchange.outputOffsetsMs],
    state: "ended",
  };
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

function refuse(
  context: Context,
  status: 400 | 404 | 409,
  code: string,
  message: string,
): Response {
  return context.json({ error: { code, message } }, status);
}
