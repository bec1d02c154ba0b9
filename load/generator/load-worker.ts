import { parentPort, workerData } from "node:worker_threads";
import { every, systemClock } from "../../engines/clock.ts";
import { engines } from "../../engines/index.ts";
import { HttpTarget } from "../http-target.ts";
import { ThreadHealth } from "./thread-health.ts";
import type { FromWorker, ToWorker, WorkerSetup } from "./worker-messages.ts";

/** How often a worker says how it is. */
const HEALTH_PERIOD_MS = 250;

/** The inside of a worker thread: sends what it is told to and hands back records. Ends with `close`. */
function serve(port: NonNullable<typeof parentPort>, setup: WorkerSetup): void {
  const engine = engines[setup.engine];
  const forceWith = setup.forceWith === null ? engine : engines[setup.forceWith];
  const target = new HttpTarget({ ...setup, engine, forceWith, clock: systemClock });
  const health = new ThreadHealth(systemClock);
  const flights = new Map<number, AbortController>();
  const say = (message: FromWorker): void => {
    port.postMessage(message);
  };
  const stopSaying = every(systemClock, HEALTH_PERIOD_MS, () => {
    say({ kind: "health", reading: health.read() });
  });
  port.on("message", (message: ToWorker) => {
    switch (message.kind) {
      case "clock":
        return say({ kind: "clock", nowMs: systemClock.nowMs() });
      case "begin":
        return health.begin();
      case "abort":
        return flights.get(message.id)?.abort();
      case "close":
        stopSaying();
        health.close();
        port.close();
        void target.close();
        return undefined;
      case "send": {
        const { id, prompt } = message;
        const flight = new AbortController();
        flights.set(id, flight);
        void target.send(prompt, flight.signal).then((exchange) => {
          flights.delete(id);
          say({ kind: "ended", id, exchange });
        });
        return undefined;
      }
    }
  });
}

if (parentPort !== null) serve(parentPort, workerData as WorkerSetup);
