import type { Clock } from "../../engines/clock.ts";
import type { Families } from "./families.ts";
import { RequestLog } from "./log/request-log.ts";
import type { TelemetryOptions } from "./options.ts";
import type { Sink } from "./sink.ts";

/** Makes the sinks once the families they tell of exist. */
export type OpenSinks = (families: Families) => readonly Sink[];

/** Gets ready what was asked for. OpenTelemetry costs 0.2 s and 20 MB to load, so it is loaded only then. */
export async function prepareSinks(
  { otlp, log }: TelemetryOptions,
  { clock, release }: { readonly clock: Clock; readonly release: string },
): Promise<OpenSinks> {
  const loaded = otlp === undefined ? null : await import("./otel/otlp.ts");
  return (families) => {
    const sinks: Sink[] = [];
    if (log !== undefined) sinks.push(new RequestLog(log));
    if (loaded !== null && otlp !== undefined)
      sinks.push(new loaded.Otlp({ options: otlp, clock, release, families: () => families }));
    return sinks;
  };
}
