import { type Context, Hono } from "hono";
import type { Clock } from "../../engines/clock.ts";
import { prometheusRules } from "../telemetry/exports/prometheus-rules.ts";
import { readOutcomes } from "../telemetry/outcomes.ts";
import { dimensions, type Population } from "../telemetry/part.ts";
import {
  readSeries,
  SERIES_WINDOW_MAX_MS,
  type SeriesName,
  seriesMetrics,
} from "../telemetry/series.ts";
import type { FleetEvent } from "../upstream/fleet.ts";
import { answer, duration, oneOf, QueryError, refuse, wholeNumber } from "./answer.ts";
import type { AdminOptions } from "./app.ts";
import { windowFigures } from "./figure.ts";

/** Figures of the state are over this window. */
const STATE_WINDOW_MS = 60_000;
const EVENTS_DEFAULT = 100;
const EVENTS_MAX = 500;
/** What a deploy marker may say. */
const SUBJECT_CHARS_MAX = 100;
const MESSAGE_CHARS_MAX = 500;

/** `/api/v1/state`, `/series`, `/outcomes`, `/slos` and `/events`. */
export function telemetryRoutes(options: AdminOptions): Hono {
  const { telemetry, clock } = options;
  const routes = new Hono();
  routes.get("/state", (context) => context.json(state(options)));
  routes.get("/series", (context) => answer(context, () => series(context, options)));
  routes.get("/outcomes", (context) => answer(context, () => outcomes(context, options)));
  routes.get("/slos", (context) =>
    context.json({ slos: telemetry.slos.views(), nowMs: clock.nowMs() }),
  );
  routes.get("/slos/rules.yaml", (context) =>
    context.text(prometheusRules(telemetry.slos.slos.map(({ options }) => options)), 200, {
      "content-type": "application/yaml",
    }),
  );
  routes.get("/events", (context) =>
    answer(context, () => {
      const limit = wholeNumber(context, "limit", {
        min: 1,
        max: EVENTS_MAX,
        otherwise: EVENTS_DEFAULT,
      });
      const from = wholeNumber(context, "from", {
        min: 0,
        max: Number.MAX_SAFE_INTEGER,
        otherwise: 0,
      });
      return { events: telemetry.events.filter((event) => event.atMs >= from).slice(-limit) };
    }),
  );
  routes.post("/events", (context) => mark(context, options));
  return routes;
}

function state({ telemetry, fleet, sweeps, clock, release, dataUrl }: AdminOptions): object {
  telemetry.settle();
  const { traffic, ring, feed } = telemetry;
  const figures = (population: "real" | "synthetic", replica?: string): object =>
    windowFigures(
      traffic.window(STATE_WINDOW_MS, {
        population,
        ...(replica === undefined ? {} : { replica }),
      }),
      population,
    );
  const replicas = fleet.views().map((view) => ({
    ...view,
    real: figures("real", view.id),
    synthetic: figures("synthetic", view.id),
  }));
  return {
    release,
    nowMs: clock.nowMs(),
    dataUrl: dataUrl(),
    endedTotal: ring.total,
    inFlight: feed.inFlightCount,
    goodput: traffic.goodput,
    real: figures("real"),
    synthetic: figures("synthetic"),
    replicas,
    slos: telemetry.slos.views(),
    sweeps: sweeps?.running() ?? [],
  };
}

function series(context: Context, { telemetry, clock }: AdminOptions): object {
  const names = Object.keys(seriesMetrics) as SeriesName[];
  if (context.req.query("metric") === undefined)
    throw new QueryError(`metric is missing: ask one of ${names.join(", ")}.`);
  const step = context.req.query("step");
  return readSeries(telemetry.traffic, clock, {
    metric: oneOf(context, "metric", names, "ttft"),
    by: oneOf(context, "by", ["none", ...dimensions], "none"),
    ...windowOf(context, clock),
    ...(step === undefined
      ? {}
      : { stepMs: duration(context, "step", { maxMs: SERIES_WINDOW_MAX_MS, otherwise: step }) }),
    bins: oneOf(context, "bins", ["0", "1"], "0") === "1",
  });
}

function outcomes(context: Context, { telemetry, clock }: AdminOptions): object {
  const replica = context.req.query("replica");
  return readOutcomes(telemetry.traffic, clock, {
    ...windowOf(context, clock),
    ...(replica === undefined ? {} : { replica }),
  });
}

/** Whose traffic, how far back and until when, as every question about history says it. */
function windowOf(
  context: Context,
  clock: Clock,
): { population: Population; windowMs: number; untilMs?: number } {
  const until = context.req.query("until");
  return {
    population: oneOf(context, "origin", ["real", "synthetic"], "real"),
    windowMs: duration(context, "window", { maxMs: SERIES_WINDOW_MAX_MS, otherwise: "15m" }),
    ...(until === undefined
      ? {}
      : { untilMs: wholeNumber(context, "until", { min: 0, max: clock.nowMs(), otherwise: 0 }) }),
  };
}

/** A deploy, told by whoever deployed: a line in the events lane under the charts. */
async function mark(context: Context, { telemetry, clock }: AdminOptions): Promise<Response> {
  const body = (await context.req.json().catch(() => null)) as Partial<
    Record<"kind" | "subject" | "message", unknown>
  > | null;
  const { kind = "deploy", subject, message = "" } = body ?? {};
  if (kind !== "deploy")
    return refuse(
      context,
      400,
      "invalid_event",
      `kind ${JSON.stringify(kind).slice(0, 100)} is not "deploy", the one event that comes from outside.`,
    );
  if (typeof subject !== "string" || subject.trim() === "" || subject.length > SUBJECT_CHARS_MAX)
    return refuse(
      context,
      400,
      "invalid_event",
      `subject must be a text of 1 to ${SUBJECT_CHARS_MAX} characters: send {"kind": "deploy", "subject": "vllm 0.19", "message": "…"}.`,
    );
  if (typeof message !== "string" || message.length > MESSAGE_CHARS_MAX)
    return refuse(
      context,
      400,
      "invalid_event",
      `message must be a text of at most ${MESSAGE_CHARS_MAX} characters.`,
    );
  const event: FleetEvent = {
    atMs: clock.nowMs(),
    kind: "deploy",
    subject: subject.trim(),
    message,
  };
  telemetry.feed.event(event);
  return context.json({ event }, 201);
}
