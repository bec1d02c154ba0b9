import { join } from "node:path";
import type { Preset } from "../load/sweep/presets.ts";
import { type Clock, systemClock } from "../engines/clock.ts";
import { systemRandom } from "../engines/random.ts";
import { AdminListener } from "./admin/admin-listener.ts";
import { releaseVersion } from "./commands/release.ts";
import type { ListenAddress } from "./config/listen.ts";
import { BODIES_HELD_BYTES_MAX, BodyBudget } from "./http/body-budget.ts";
import { CLIENT_LIMITS, type ClientLimits } from "./http/client-connections.ts";
import type { TimeLimitOptions } from "./http/deadlines.ts";
import { type ForwardOptions, forwardServices } from "./http/forward-services.ts";
import { DataListener } from "./http/listener.ts";
import { openFilesMax } from "./http/open-files.ts";
import { BODY_BYTES_MAX } from "./http/request-body.ts";
import { TrustedPeers } from "./http/trusted-peers.ts";
import { RETRIES } from "./http/retry.ts";
import { MarkReader, newMarkToken } from "./synthetic/synthetic-mark.ts";
import { SweepDesk } from "./synthetic/sweep-desk.ts";
import { NO_RULES, type SweepRules } from "./synthetic/sweep-rules.ts";
import type { PolicyName } from "./routing/policies/index.ts";
import type { Feed } from "./telemetry/feed.ts";
import { openHistory } from "./telemetry/store/history.ts";
import { prepareSinks } from "./telemetry/open-sinks.ts";
import type { TelemetryOptions } from "./telemetry/options.ts";
import { createTelemetry, type Telemetry, type TelemetryParts } from "./telemetry/telemetry.ts";
import { Traces, tracesOptions } from "./telemetry/traces.ts";
import { Crew, type CrewParts } from "./threads/crew.ts";
import type { Fleet, ReplicaSpec } from "./upstream/fleet.ts";
import { ownInFlight } from "./upstream/in-flight.ts";
import { ReplicaSet } from "./upstream/replica-set.ts";

/** What a proxy is started with; everything has a default. */
export interface ServeOptions extends ForwardOptions {
  /** `http://host:port`, `name=http://host:port`, or a whole description. */
  readonly replicas: readonly (string | ReplicaSpec)[];
  readonly listen?: ListenAddress;
  readonly admin?: ListenAddress;
  /** Asked of every admin request when set. */
  readonly adminToken?: string | null;
  readonly bodyBytesMax?: number;
  /** Of all request bodies held at one time. */
  readonly bodiesHeldBytesMax?: number;
  readonly clients?: Partial<ClientLimits>;
  /** Addresses and networks (`10.0.0.0/8`) of proxies in front, whose `X-Forwarded-*` count. */
  readonly trustedPeers?: readonly string[];
  readonly telemetry?: TelemetryOptions;
  /** What `GET /api/v1/config` shows: the settings in force, redacted. */
  readonly shownConfig?: () => object;
  /** Requests of ours under way on one replica at most; more wait in the queue. */
  readonly inFlightMax?: number;
  /** Threads of the data path; 1 (the default) is this one. */
  readonly threads?: number;
  /** What every embedded sweep keeps to. */
  readonly sweepRules?: SweepRules;
  /** Presets of embedded sweeps beside those of the command line. */
  readonly sweepPresets?: Readonly<Record<string, Preset>>;
  readonly clock?: Clock;
}

/** What can be changed while a proxy runs. */
export interface ServeChange {
  readonly policy: PolicyName;
  readonly limits: TimeLimitOptions;
}

export interface RunningProxy {
  /** Where clients connect. */
  readonly dataUrl: string;
  /** Board, API and metrics. */
  readonly adminUrl: string;
  readonly fleet: Fleet;
  readonly feed: Feed;
  readonly telemetry: Telemetry;
  readonly sweeps: SweepDesk;
  readonly release: string;
  /** Puts other settings into force at once; what is under way keeps what it began with. */
  change(change: ServeChange): void;
  /**
   * Says so on `/readyz`, lets what runs finish within `graceMs` (none by default), ends the rest with an error and frees
   * everything. Returns how many requests were cut.
   */
  stop(graceMs?: number): Promise<number>;
}

export const DATA_ADDRESS: ListenAddress = { host: "0.0.0.0", port: 8080 };
export const ADMIN_ADDRESS: ListenAddress = { host: "127.0.0.1", port: 8081 };

/** The first requests should find their replicas recognised; an unreachable one must not hold up the start. */
const FIRST_PROBES_MS = 1_500;

/**
 * Starts both listeners of a proxy. Rejects with the socket's own error when a port is taken, and with `FleetError`
 * for a replica URL that is none, with `StoreError` for a data directory that cannot be used; nothing is left running then.
 */
export async function startProxy(options: ServeOptions): Promise<RunningProxy> {
  const clock = options.clock ?? systemClock;
  const given = options.telemetry ?? {};
  const kept: KeptParts = {
    history: await openHistory(given, clock),
    openSinks: await prepareSinks(given, { clock, release: releaseVersion() }),
  };
  const parts = assemble(options, clock, kept);
  const { data, admin, replicas, telemetry, sweeps, change, release } = parts;
  try {
    for (const replica of options.replicas) replicas.add(replica);
    await data.listen();
    await admin.listen();
    await replicas.ready(FIRST_PROBES_MS);
  } catch (error) {
    await Promise.allSettled([data.stop(0), admin.stop()]);
    await release();
    throw error;
  }
  return {
    dataUrl: data.url,
    adminUrl: admin.url,
    fleet: replicas,
    feed: telemetry.feed,
    telemetry,
    sweeps,
    release: releaseVersion(),
    change,
    async stop(graceMs = 0) {
      const { inFlightCount } = telemetry.feed;
      const message = `going down: ${inFlightCount} requests may finish within ${graceMs / 1000} s`;
      telemetry.feed.event({ atMs: clock.nowMs(), kind: "draining", subject: "proxy", message });
      // A sweep's load must not take the time users have left.
      await sweeps.close();
      const cut = await data.stop(graceMs);
      await admin.stop();
      await release();
      return cut;
    },
  };
}

/** What has to be opened before the rest can be put together. */
type KeptParts = Required<Pick<TelemetryParts, "history" | "openSinks">>;

/** Where requests come in, on this thread or on several. */
interface DataPlane {
  readonly url: string;
  listen(): Promise<void>;
  stop(graceMs: number): Promise<number>;
}

interface Parts {
  readonly data: DataPlane;
  readonly admin: AdminListener;
  readonly replicas: ReplicaSet;
  readonly telemetry: Telemetry;
  readonly sweeps: SweepDesk;
  readonly change: (change: ServeChange) => void;
  /** Stops every timer and connection that is not a listener's. */
  readonly release: () => Promise<void>;
}

/** The composition root: every part once, in the order they depend on each other. */
function assemble(options: ServeOptions, clock: Clock, kept: KeptParts): Parts {
  const random = systemRandom();
  const { breaker, inFlightMax, threads = 1 } = options;
  let crew: Crew | null = null;
  const replicas = new ReplicaSet({
    clock,
    random,
    onEvent: (event) => {
      telemetry.feed.event(event);
      crew?.share();
    },
    limits: {
      ...(breaker === undefined ? {} : { breaker }),
      ...(inFlightMax === undefined ? {} : { inFlightMax }),
    },
    inFlightOf: (id) => crew?.inFlightOf(id) ?? ownInFlight(),
  });
  const telemetry = createTelemetry({
    clock,
    fleet: replicas,
    ...kept,
    ...(options.telemetry === undefined ? {} : { options: options.telemetry }),
  });
  const { feed } = telemetry;
  const markToken = newMarkToken();
  const setup = threadSetup(options, markToken);
  if (threads > 1) crew = new Crew({ threads, clock, replicas, feed, setup });
  const path = crew ?? ownPath(options, setup, { clock, random, replicas, feed });
  const sweeps = new SweepDesk({
    clock,
    replicas,
    telemetry,
    markToken,
    dataUrl: () => path.url,
    dataDir: options.telemetry?.dataDir ?? null,
    release: releaseVersion(),
    rules: options.sweepRules ?? NO_RULES,
    ...(options.sweepPresets === undefined ? {} : { presets: options.sweepPresets }),
  });
  const admin = new AdminListener({
    clock,
    telemetry,
    fleet: replicas,
    sweeps,
    dashboardDir: join(import.meta.dirname, "..", "dashboard", "dist"),
    dataUrl: () => path.url,
    release: releaseVersion(),
    shownConfig: options.shownConfig ?? (() => ({})),
    token: options.adminToken ?? null,
    listen: options.admin ?? ADMIN_ADDRESS,
  });
  const release = async (): Promise<void> => {
    await telemetry.stop();
    await replicas.stop();
  };
  const change = (next: ServeChange): void => {
    path.change(next);
  };
  return { data: path, admin, replicas, telemetry, sweeps, change, release };
}

/** The data path on this thread. */
function ownPath(
  options: ServeOptions,
  setup: CrewParts["setup"],
  given: Omit<Parameters<typeof forwardServices>[1], "onFault" | "traces">,
): DataPlane & { change(change: ServeChange): void } {
  const { clock, feed } = given;
  const { bodiesHeldBytesMax, trustedPeers, traces, markToken, ...rest } = setup;
  const services = forwardServices(options, {
    ...given,
    traces: new Traces(given.random, traces),
    onFault: (error) => {
      tellFault(feed, clock.nowMs(), error);
    },
  });
  const listener = new DataListener({
    ...rest,
    ...services,
    bodies: new BodyBudget(bodiesHeldBytesMax),
    trusted: new TrustedPeers(trustedPeers),
    marks: new MarkReader(markToken),
  });
  return {
    get url() {
      return listener.url;
    },
    listen: () => listener.listen(),
    async stop(graceMs) {
      const cut = await listener.stop(graceMs);
      services.deadlines.stop();
      return cut;
    },
    change({ policy, limits }) {
      services.router.use(policy);
      services.deadlines.limits = limits;
    },
  };
}

/** What the data path is built from, one thread's share of each limit that is the whole proxy's. */
function threadSetup(options: ServeOptions, markToken: string): CrewParts["setup"] {
  const { threads = 1, policy, limits, hedging, breaker, queue } = options;
  const clients = { ...CLIENT_LIMITS, openFilesMax: openFilesMax(), ...options.clients };
  const retries = { ...RETRIES, ...options.retries };
  const share = (whole: number): number => Math.ceil(whole / threads);
  return {
    listen: options.listen ?? DATA_ADDRESS,
    forward: {
      retries: { ...retries, budgetFloorPerSecond: retries.budgetFloorPerSecond / threads },
      ...(policy === undefined ? {} : { policy }),
      ...(limits === undefined ? {} : { limits }),
      ...(hedging === undefined ? {} : { hedging }),
      ...(breaker === undefined ? {} : { breaker }),
      ...(queue === undefined ? {} : { queue }),
    },
    inFlightMax: options.inFlightMax ?? null,
    bodyBytesMax: options.bodyBytesMax ?? BODY_BYTES_MAX,
    bodiesHeldBytesMax: share(options.bodiesHeldBytesMax ?? BODIES_HELD_BYTES_MAX),
    clients: {
      ...clients,
      connectionsMax: share(clients.connectionsMax),
      openFilesMax: share(clients.openFilesMax),
    },
    trustedPeers: options.trustedPeers ?? [],
    traces: tracesOptions(options.telemetry),
    requestsUsage: options.telemetry?.requestUsage ?? false,
    markToken,
  };
}

/** An error nobody expected struck one request: written down and counted, and the others go on. */
function tellFault(feed: Feed, atMs: number, error: unknown): void {
  const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const message = `a request ended in an error nobody expected: ${what}`;
  process.emitWarning(message);
  feed.event({ atMs, kind: "internal-error", subject: "proxy", message });
}
