import { parentPort, workerData } from "node:worker_threads";
import { every, systemClock } from "../../engines/clock.ts";
import { systemRandom } from "../../engines/random.ts";
import { BodyBudget } from "../http/body-budget.ts";
import { forwardServices } from "../http/forward-services.ts";
import { DataListener } from "../http/listener.ts";
import { TrustedPeers } from "../http/trusted-peers.ts";
import { MarkReader } from "../synthetic/synthetic-mark.ts";
import { Traces } from "../telemetry/traces.ts";
import { InFlightTable } from "../upstream/in-flight.ts";
import type { Order, Report, ThreadSetup } from "./message.ts";
import { MirrorSet } from "./mirror-set.ts";
import { TrafficBatcher } from "./traffic-batcher.ts";

/** A request queued here may wait for a replica that another thread has made room on: looked for this often. */
const QUEUE_LOOK_MS = 20;

const port = parentPort;
if (port === null) throw new Error("data-thread.ts runs as a thread of the proxy");
const report = (message: Report, transfer: readonly ArrayBuffer[] = []): void => {
  port.postMessage(message, transfer);
};

const setup = workerData as ThreadSetup;
const clock = systemClock;
const members = new MirrorSet({
  clock,
  table: new InFlightTable(setup.inFlight, setup.rows),
  row: setup.row,
  limits: {
    ...(setup.forward.breaker === undefined ? {} : { breaker: setup.forward.breaker }),
    ...(setup.inFlightMax === null ? {} : { inFlightMax: setup.inFlightMax }),
  },
  report,
});
members.take(setup.shares);
const batcher = new TrafficBatcher(clock, members, report);
const random = systemRandom();
const services = forwardServices(setup.forward, {
  clock,
  random,
  traces: new Traces(random, setup.traces),
  replicas: members,
  feed: batcher.feed,
  onFault: (error) => {
    const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
    const message = `a request ended in an error nobody expected: ${what}`;
    const event = {
      atMs: clock.nowMs(),
      kind: "internal-error",
      subject: "proxy",
      message,
    } as const;
    report({ kind: "event", event });
  },
});
const listener = new DataListener({
  ...services,
  listen: setup.listen,
  shared: true,
  bodyBytesMax: setup.bodyBytesMax,
  bodies: new BodyBudget(setup.bodiesHeldBytesMax),
  clients: setup.clients,
  trusted: new TrustedPeers(setup.trustedPeers),
  marks: new MarkReader(setup.markToken),
  requestsUsage: setup.requestsUsage,
});
const cancelLook = every(clock, QUEUE_LOOK_MS, () => {
  if (services.queue.length === 0) return;
  for (const replica of members.all())
    if (replica.available && !replica.full) services.queue.callUp(replica.models);
});

port.on("message", (order: Order) => {
  switch (order.kind) {
    case "replicas":
      return members.take(order.shares);
    case "judged":
      return members.heard(order.verdict);
    case "pushed-back":
      return members.heardPushback(order.pushback);
    case "change":
      services.router.use(order.change.policy);
      services.deadlines.limits = order.change.limits;
      return;
    case "stop":
      void stop(order.graceMs);
  }
});

async function stop(graceMs: number): Promise<void> {
  const cut = await listener.stop(graceMs);
  cancelLook();
  services.deadlines.stop();
  batcher.stop();
  await members.stop();
  report({ kind: "stopped", cut });
}

try {
  await listener.listen();
  const { url } = listener;
  report({ kind: "listening", url, port: Number(new URL(url).port) });
} catch (error) {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  report({ kind: "not-listening", code, message: String(error) });
}
