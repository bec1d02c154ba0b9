import { isDeepStrictEqual } from "node:util";
import { ConfigError } from "../config/config-error.ts";
import { replicaSpecs } from "../config/replica-specs.ts";
import { resolveSecret } from "../config/secret.ts";
import type { ReplicaSettings, Settings } from "../config/schema.ts";
import type { RunningProxy, ServeOptions } from "../serve.ts";
import type { OtlpOptions, TelemetryOptions } from "../telemetry/options.ts";

/** Settings that only a restart changes: sockets and files are opened once. */
const AT_START = [
  "listen",
  "admin",
  "threads",
  "retries",
  "hedging",
  "health",
  "admission",
  "slos",
  "telemetry",
  "data",
  "drain",
  "requests",
] as const satisfies readonly (keyof Settings)[];

/** What a proxy is started with, from its settings. */
export function serveOptions(settings: Settings, adminToken: string | null): ServeOptions {
  const { listen, admin, threads, replicas, routing, timeouts, requests } = settings;
  const { connectionsMax, connectionsPerSourceMax = Infinity, ...bodies } = requests;
  const { retries, hedging, health, admission } = settings;
  const { inFlightMax, queue } = admission;
  return {
    replicas: replicaSpecs(replicas, process.env),
    listen,
    admin,
    threads,
    policy: routing.policy,
    limits: timeouts,
    ...bodies,
    clients: { connectionsMax, connectionsPerSourceMax },
    retries,
    hedging,
    breaker: health,
    queue,
    ...(inFlightMax === undefined ? {} : { inFlightMax }),
    telemetry: telemetryOptions(settings),
    sweepRules: settings.sweeps,
    adminToken,
  };
}

/** What is measured against and told; references to secrets resolved. @throws {ConfigError} */
function telemetryOptions({ slos, telemetry }: Settings): TelemetryOptions {
  const { webhooks, otlp, log, retention, goodput, requestUsage } = telemetry;
  return {
    slos,
    goodput,
    requestUsage,
    webhooks: webhooks.map((hook, index) => withSecrets(hook, `telemetry.webhooks[${index}]`)),
    ...(otlp === undefined ? {} : { otlp: withSecrets(otlp, "telemetry.otlp") as OtlpOptions }),
    ...(log === undefined ? {} : { log }),
    ...(retention === undefined ? {} : { retention }),
  };
}

function withSecrets<T extends { readonly headers?: Readonly<Record<string, string>> | undefined }>(
  given: T,
  where: string,
): T {
  if (given.headers === undefined) return given;
  try {
    const headers = Object.entries(given.headers).map(
      ([name, text]) => [name, resolveSecret(text, process.env)] as const,
    );
    return { ...given, headers: Object.fromEntries(headers) };
  } catch (error) {
    throw new ConfigError([{ where: `${where}.headers`, message: (error as Error).message }]);
  }
}

/**
 * Brings a running proxy from one configuration to another, at once and without touching a request under way: replicas that
 * are gone finish their streams. Says in words what changed. Replicas added through the API stay.
 * @throws {ConfigError} when a secret or certificate cannot be read; nothing was changed then.
 */
export function applySettings(proxy: RunningProxy, before: Settings, after: Settings): string {
  const gone = before.replicas.filter((replica) => !holds(after.replicas, replica));
  const added = after.replicas.filter((replica) => !holds(before.replicas, replica));
  // Read before anything changes: a reference that leads nowhere rejects the whole file.
  const specs = replicaSpecs(added, process.env);
  for (const replica of gone) {
    const known = proxy.fleet.views().find((view) => view.id === idOf(replica));
    if (known !== undefined) proxy.fleet.remove(known.id);
  }
  for (const spec of specs) proxy.fleet.add(spec);
  proxy.change({ policy: after.routing.policy, limits: after.timeouts });
  proxy.sweeps.use(after.sweeps);
  const restart = AT_START.filter((key) => !isDeepStrictEqual(before[key], after[key]));
  const parts = [
    added.length > 0 ? `added ${added.map(idOf).join(", ")}` : "",
    gone.length > 0 ? `removed ${gone.map(idOf).join(", ")}` : "",
    isDeepStrictEqual(before.timeouts, after.timeouts) ? "" : "time limits changed",
    isDeepStrictEqual(before.sweeps, after.sweeps) ? "" : "rules of sweeps changed",
    before.routing.policy === after.routing.policy ? "" : `policy is now ${after.routing.policy}`,
    restart.length > 0 ? `${restart.join(", ")} will change with the next start` : "",
  ].filter((part) => part !== "");
  return parts.length === 0 ? "nothing changed" : parts.join("; ");
}

function holds(replicas: readonly ReplicaSettings[], replica: ReplicaSettings): boolean {
  return replicas.some((other) => isDeepStrictEqual(other, replica));
}

/** The name a replica goes by: its own, or host and port. */
function idOf({ name, url }: ReplicaSettings): string {
  return name ?? url.replace(/^[a-z]+:\/\//i, "").replace(/\/+$/, "");
}
