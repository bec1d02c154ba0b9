import { systemClock } from "../../engines/clock.ts";
import type { Engine, JsonObject, ProbeAnswer } from "../../engines/engine.ts";
import type { Exchange, InferenceRoute } from "../../engines/exchange.ts";
import { ExchangeTimer } from "../../engines/exchange-timer.ts";
import type { ProbeGet } from "../../engines/identify.ts";
import { JSON_HEADERS } from "./fleet.ts";

/** One request straight at an engine, read in its dialect by the lines that time real and synthetic ones. */
export async function timedRequest(
  engine: Engine,
  url: string,
  route: InferenceRoute,
  body: JsonObject,
): Promise<Exchange> {
  const start = { id: "r", origin: "synthetic", route, model: "m", streamed: true } as const;
  const timer = new ExchangeTimer(
    { ...start, startedMs: systemClock.nowMs(), bytesIn: 1 },
    systemClock,
  );
  timer.routed("direct", engine, null);
  const answer = await fetch(url, {
    method: "POST",
    headers: JSON_HEADERS,
    body: JSON.stringify(body),
  });
  timer.headers(answer.status, answer.headers.get("content-type") ?? undefined);
  for await (const chunk of answer.body ?? []) timer.chunk(chunk);
  return timer.end({ kind: "answered" });
}

/** GETs pages of a server as recognition and statistics ask for them. */
export function probeOf(origin: string): ProbeGet {
  return async (path, signal): Promise<ProbeAnswer> => {
    const answer = await fetch(origin + path, { signal });
    const headers = Object.fromEntries(answer.headers);
    return { path, status: answer.status, headers, body: await answer.text() };
  };
}
