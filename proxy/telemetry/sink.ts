import type { Fact } from "./fact.ts";

/** A reader of the stream that passes it on to somewhere that may be slow, full or gone. It drops rather than waits. */
export interface Sink {
  readonly name: "log" | "otlp";
  /** What could not be delivered since start. */
  readonly dropped: number;
  /** Synchronous, never blocks. The fact is only valid during the call. */
  take(fact: Fact): void;
  /** Once a second: hand over what gathered. */
  flush(nowMs: number): void;
  /** Hands over the rest within a few seconds and lets go. */
  stop(): Promise<void>;
}
