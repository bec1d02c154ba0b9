import { IncomingMessage } from "node:http";
import { queryObjects } from "node:v8";
import { ExchangeTimer } from "../../engines/exchange-timer.ts";
import { Attempt } from "../../proxy/http/attempt.ts";

/** What comes and goes with every request, and what leaks in a proxy when anything does. */
const CLASSES = {
  IncomingMessage,
  ReadableStream,
  AbortController,
  ExchangeTimer,
  Attempt,
} as const;

export type LiveClass = keyof typeof CLASSES;
export type LiveObjects = Readonly<Record<LiveClass, number>>;

/** How many of one class are alive after a full collection, which `v8.queryObjects` makes: it takes a second. */
export function alive(name: LiveClass): number {
  return queryObjects(CLASSES[name], { format: "count" });
}

export function liveObjects(): LiveObjects {
  const counts = (Object.keys(CLASSES) as LiveClass[]).map((name) => [name, alive(name)]);
  return Object.fromEntries(counts) as LiveObjects;
}
