import { systemClock } from "../../engines/clock.ts";
import { engines } from "../../engines/index.ts";
import { HttpTarget } from "../../load/http-target.ts";
import { replayTrace } from "../../load/replay.ts";
import { readTrace, traces } from "../../load/trace.ts";
import { MODEL, type TestFleet } from "./fleet.ts";

/** The recording begins quietly; readers of a board should see its usual five a second at once. */
const QUIET_REQUESTS = 500;

export interface TraceTraffic {
  stop(): Promise<void>;
}

/** Real requests through a fleet's proxy as Azure recorded them, over and over, until stopped. */
export async function startTraceTraffic(
  fleet: TestFleet,
  options: { readonly speed: number },
): Promise<TraceTraffic> {
  const target = new HttpTarget({
    url: fleet.proxy.dataUrl,
    model: MODEL,
    engine: engines.openai,
    clock: systemClock,
    exactLength: false,
  });
  const stop = new AbortController();
  const replay = replayTrace({
    trace: (await readTrace(traces["azure-conversation"])).slice(QUIET_REQUESTS),
    target,
    speed: options.speed,
    loop: true,
    seed: 1,
    clock: systemClock,
    signal: stop.signal,
    onExchange: () => {},
  });
  return {
    async stop() {
      stop.abort();
      await replay;
      await target.close();
    },
  };
}
