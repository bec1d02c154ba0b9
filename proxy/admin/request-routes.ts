import { type Context, Hono } from "hono";
import { type Exchange, tpotMs, ttftMs } from "../../engines/exchange.ts";
import type { EndedRow } from "../live/frames.ts";
import { inFlightRow } from "../live/in-flight-row.ts";
import { endedRow } from "../telemetry/exchange-ring.ts";
import type { GoodputOptions } from "../telemetry/options.ts";
import { answer, oneOf, QueryError, refuse, wholeNumber } from "./answer.ts";
import type { AdminOptions } from "./app.ts";

/** Rows of one answer of the request list. */
const ROWS_DEFAULT = 100;
const ROWS_MAX = 1_000;

/** What most people come for, by one word. */
const PRESETS = ["all", "slowest", "failed", "slow"] as const;
type Preset = (typeof PRESETS)[number];

/** `/api/v1/requests`: what is under way, what ended, and one of them whole. */
export function requestRoutes(options: AdminOptions): Hono {
  const { telemetry, clock } = options;
  const routes = new Hono();
  routes.get("/", (context) => answer(context, () => list(context, options)));
  routes.get("/:id", (context) => {
    const id = context.req.param("id");
    const exchange = telemetry.ring.find(id);
    if (exchange !== undefined) return context.json({ request: whole(exchange) });
    for (const timer of telemetry.feed.inFlight()) {
      if (timer.start.id !== id) continue;
      const row = inFlightRow(timer, clock.nowMs());
      return context.json({ request: { ...timer.view(), ...row, state: "in-flight" } });
    }
    return refuse(
      context,
      404,
      "not_found",
      `No request ${id.slice(0, 100)} is under way or among the last ones kept.`,
    );
  });
  return routes;
}

function list(context: Context, { telemetry, clock }: AdminOptions): object {
  const limit = wholeNumber(context, "limit", { min: 1, max: ROWS_MAX, otherwise: ROWS_DEFAULT });
  const state = oneOf(context, "state", ["ended", "in-flight"], "ended");
  if (state === "in-flight") {
    const nowMs = clock.nowMs();
    const requests = [...telemetry.feed.inFlight()]
      .slice(0, limit)
      .map((timer) => inFlightRow(timer, nowMs));
    return { requests, total: telemetry.feed.inFlightCount, keptMax: null };
  }
  const preset = oneOf(context, "preset", PRESETS, "all");
  const matches = filterOf(context, preset, telemetry.traffic.goodput);
  const rows: EndedRow[] = [];
  for (const exchange of telemetry.ring.newest()) {
    if (!matches(exchange)) continue;
    rows.push(endedRow(exchange));
    if (preset !== "slowest" && rows.length === limit) break;
  }
  const requests =
    preset === "slowest"
      ? rows.toSorted((a, b) => (b.ttftMs ?? b.e2eMs) - (a.ttftMs ?? a.e2eMs)).slice(0, limit)
      : rows;
  return { requests, total: telemetry.ring.total, keptMax: telemetry.ring.max };
}

/** Every filter given must hold. Field names are those of the rows. */
function filterOf(
  context: Context,
  preset: Preset,
  goodput: GoodputOptions,
): (exchange: Exchange) => boolean {
  const { replica, model, outcome, origin, client } = context.req.query();
  const fromMs = moment(context, "from") ?? -Infinity;
  const untilMs = moment(context, "until") ?? Infinity;
  const slowerMs = moment(context, "ttftAtLeastMs") ?? null;
  return (exchange) =>
    (replica === undefined || exchange.replica === replica) &&
    (model === undefined || exchange.model === model) &&
    (outcome === undefined || exchange.outcome.kind === outcome) &&
    (origin === undefined || exchange.origin === origin) &&
    (client === undefined || exchange.client === client) &&
    exchange.times.startedMs >= fromMs &&
    exchange.times.startedMs < untilMs &&
    (slowerMs === null || (ttftMs(exchange) ?? -1) >= slowerMs) &&
    fits(exchange, preset, goodput);
}

function fits(exchange: Exchange, preset: Preset, goodput: GoodputOptions): boolean {
  const { kind } = exchange.outcome;
  if (preset === "failed") return kind === "failed" || kind === "cut";
  if (preset === "slow")
    return (ttftMs(exchange) ?? 0) >= goodput.ttftMs || (tpotMs(exchange) ?? 0) >= goodput.tpotMs;
  return true;
}

function moment(context: Context, field: string): number | undefined {
  const given = context.req.query(field);
  if (given === undefined) return undefined;
  const ms = Number(given);
  if (!Number.isFinite(ms) || ms < 0)
    throw new QueryError(`${field} "${given.slice(0, 100)}" is not a number of milliseconds.`);
  return ms;
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
