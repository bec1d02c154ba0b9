import { dimensions } from "../telemetry/part.ts";
import { seriesMetrics } from "../telemetry/series.ts";

/** One parameter of a query. */
interface Parameter {
  readonly name: string;
  readonly in: "query" | "path";
  readonly required?: boolean;
  readonly description: string;
  readonly schema: object;
}

interface Operation {
  readonly summary: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: object;
  readonly responses: Readonly<Record<string, { readonly description: string }>>;
}

type Path = Partial<Readonly<Record<"get" | "post" | "delete", Operation>>>;

/** What `POST /api/v1/sweeps` takes; all but the replica may be left out. The configuration may have other defaults, and caps. */
const sweepBody = {
  type: "object",
  required: ["replica"],
  properties: {
    replica: { type: "string" },
    model: { type: "string" },
    shapes: { type: "array", items: { type: "string" }, examples: [["1024x128"], ["my-traffic"]] },
    fit: {
      type: "object",
      description: "What my-traffic stands for, as GET /api/v1/sweeps/fit gives it.",
      properties: {
        parts: { type: "array", items: { type: "object" } },
        cachedShare: { type: ["number", "null"] },
        arrivalCv: { type: ["number", "null"] },
      },
    },
    preset: { type: "string", default: "quick" },
    objectives: { type: "array", items: { type: "string" }, examples: [["ttft_p95<=1s"]] },
    path: { enum: ["direct", "routed", "both"], default: "both" },
    traffic: { enum: ["drained", "beside"], default: "drained" },
    limits: {
      type: "object",
      properties: {
        share: { type: "number" },
        tokens: { type: "integer" },
        minutes: { type: "number" },
      },
    },
    guards: {
      type: "object",
      properties: {
        ttftP95Ms: { type: "number" },
        burnRate: { type: "number" },
        inFlight: { type: "integer" },
      },
    },
    seed: { type: "integer" },
    confirm: { type: "boolean" },
    force: { type: "boolean" },
    leaseSeconds: { type: "integer" },
  },
};

/** Every route of the control plane; a test asks each of them. */
export const paths = {
  "/api/v1/state": {
    get: ok("One snapshot: totals over the last minute, replicas, promises, sweeps, release."),
  },
  "/api/v1/series": {
    get: ok("History of one metric: rates, ratios, or percentiles out of merged sketches.", [
      query("metric", "What to draw.", { type: "string", enum: Object.keys(seriesMetrics) }),
      query("by", "One line a label.", { type: "string", enum: ["none", ...dimensions] }),
      query("window", "How far back: 90s, 15m, 6h, 30d.", { type: "string", default: "15m" }),
      query("step", "Length of a point; left out, about 400 points.", { type: "string" }),
      query("until", "End of the window in ms since 1970; left out, now.", { type: "integer" }),
      query("origin", "Whose traffic; never both.", { enum: ["real", "synthetic"] }),
      query("bins", "1 adds each point's bins, for heatmaps.", { enum: ["0", "1"] }),
    ]),
  },
  "/api/v1/outcomes": {
    get: ok("How the requests of a window ended: outcomes, broken promises, errors by kind.", [
      query("window", "How far back: 90s, 15m, 6h, 30d.", { type: "string", default: "15m" }),
      query("until", "End of the window in ms since 1970; left out, now.", { type: "integer" }),
      query("origin", "Whose traffic; never both.", { enum: ["real", "synthetic"] }),
      query("replica", "One replica instead of the fleet.", { type: "string" }),
    ]),
  },
  "/api/v1/config": { get: ok("The settings in force, secrets redacted.") },
  "/api/v1/trace": {
    get: ok(
      "Shapes of the real requests that begin from now on, a JSON line each, until the reader leaves.",
    ),
  },
  "/api/v1/slos": {
    get: ok("Promises: attainment, budget, burn rates, alerts, exhaustion; worst budget first."),
  },
  "/api/v1/slos/rules.yaml": {
    get: ok("The promises' alerts as Prometheus rules: alerts must survive the proxy."),
  },
  "/api/v1/events": {
    get: ok("What happened to the fleet, oldest first.", [
      query("from", "Not before, in ms since 1970.", { type: "integer" }),
      query("limit", "The newest so many.", { type: "integer", default: 100, maximum: 500 }),
    ]),
    post: {
      summary: "Marks a deploy in the events lane.",
      requestBody: body({
        type: "object",
        required: ["subject"],
        properties: {
          kind: { enum: ["deploy"] },
          subject: { type: "string", maxLength: 100 },
          message: { type: "string", maxLength: 500 },
        },
      }),
      responses: {
        "201": { description: "The event as kept." },
        "400": { description: "What is wrong with it, in a sentence." },
      },
    },
  },
  "/api/v1/requests": {
    get: ok("Requests under way, or the last ended ones, newest first.", [
      query("state", "Which list.", { enum: ["ended", "in-flight"] }),
      query("limit", "Rows.", { type: "integer", default: 100, maximum: 1000 }),
      query("preset", "slowest, failed, or slow: missed a goodput target.", {
        enum: ["all", "slowest", "failed", "slow"],
      }),
      ...["replica", "model", "outcome", "origin", "client"].map((name) =>
        query(name, `Only with this ${name}.`, { type: "string" }),
      ),
      query("from", "Begun at or after, in ms since 1970.", { type: "number" }),
      query("until", "Begun before, in ms since 1970.", { type: "number" }),
      query("ttftAtLeastMs", "First token no sooner.", { type: "number" }),
    ]),
  },
  "/api/v1/requests/{id}": {
    get: found("One request whole: times, tries, decision, tokens, offset of each output event.", [
      inPath("id"),
    ]),
  },
  "/api/v1/sweeps": {
    get: ok(
      "Sweeps, newest first, of earlier lives of the proxy as well: state, estimate, what is left.",
    ),
    post: {
      summary:
        "Starts a sweep of one replica; typed as SweepRequest in proxy/synthetic/sweep-view.ts.",
      requestBody: body(sweepBody),
      responses: {
        "201": { description: "Under way: the sweep whole, with its id." },
        "400": { description: "What is wrong, a sentence a field." },
        "404": { description: "No such replica." },
        "409": {
          description:
            "Another one runs, the replica is not up, or users come first; code confirmation_required when confirm: true would do.",
        },
      },
    },
  },
  "/api/v1/sweeps/fit": {
    get: ok(
      "Real requests still kept, as a workload: shapes and weights, burstiness, cached share.",
      [query("model", "Only requests to this model.", { type: "string" })],
    ),
  },
  "/api/v1/sweeps/{id}": {
    get: found(
      "One sweep whole: plan, point under way, finished points, capacities, guards, users' traffic beside it.",
      [
        inPath("id"),
        query("after", "Leaves out so many finished points, which the asker has already.", {
          type: "integer",
          minimum: 0,
        }),
      ],
    ),
    delete: found("Stops it within a second; what was measured is kept.", [inPath("id")]),
  },
  "/api/v1/replicas": {
    get: ok("The fleet."),
    post: {
      summary: "Adds a replica.",
      requestBody: body({
        type: "object",
        required: ["url"],
        properties: { url: { type: "string" } },
      }),
      responses: {
        "200": { description: "Added." },
        "400": { description: "Not a URL of an engine." },
        "409": { description: "Already a member." },
      },
    },
  },
  "/api/v1/replicas/{id}": {
    delete: found("Takes a replica out once its streams are done.", [inPath("id")]),
  },
  "/api/v1/replicas/{id}/drain": {
    post: found("Gives it no new requests; it finishes its own.", [inPath("id")]),
  },
  "/api/v1/replicas/{id}/undrain": { post: found("Back into routing.", [inPath("id")]) },
  "/api/v1/replicas/{id}/disable": {
    post: found("Out at once; its streams are cut.", [inPath("id")]),
  },
} satisfies Record<string, Path>;

/** The document at `/api/v1/openapi.json` (OpenAPI 3.1). */
export function openApi(release: string): object {
  return {
    openapi: "3.1.0",
    info: {
      title: "Pitot control plane",
      version: release,
      description:
        "Times are ms, moments ms since 1970. Errors: {error: {code, message}}. With an admin token set, every request carries it: Authorization: Bearer …. The live feed is a WebSocket at /api/v1/live; its frames are typed in proxy/live/frames.ts.",
    },
    paths,
  };
}

function ok(summary: string, parameters: readonly Parameter[] = []): Operation {
  const bad =
    parameters.length === 0 ? {} : { "400": { description: "Which parameter, and why." } };
  return { summary, parameters, responses: { "200": { description: "As described." }, ...bad } };
}

function found(summary: string, parameters: readonly Parameter[]): Operation {
  return {
    summary,
    parameters,
    responses: {
      "200": { description: "As described." },
      "404": { description: "There is none of that id." },
    },
  };
}

function query(name: string, description: string, schema: object): Parameter {
  return { name, in: "query", description, schema };
}

function inPath(name: string): Parameter {
  return { name, in: "path", required: true, description: name, schema: { type: "string" } };
}

function body(schema: object): object {
  return { required: true, content: { "application/json": { schema } } };
}
