import type { EngineName } from "../../engines/engine.ts";
import type { Exchange } from "../../engines/exchange.ts";
import type { HttpTargetOptions } from "../http-target.ts";
import type { PlannedPrompt } from "../target.ts";
import type { HealthReading } from "./health.ts";

/** What a load worker is started with: everything an HTTP target needs, as plain data. */
export interface WorkerSetup {
  readonly url: string;
  readonly model: string;
  readonly engine: EngineName;
  readonly exactLength: boolean;
  readonly forceWith: EngineName | null;
  readonly refused: readonly string[];
  readonly headers: readonly string[];
  readonly connect: NonNullable<HttpTargetOptions["connect"]>;
}

/** To a worker. Times are readings of the worker's own clock. */
export type ToWorker =
  | { readonly kind: "clock" }
  | { readonly kind: "send"; readonly id: number; readonly prompt: PlannedPrompt }
  | { readonly kind: "abort"; readonly id: number }
  | { readonly kind: "begin" }
  | { readonly kind: "close" };

/** From a worker. */
export type FromWorker =
  | { readonly kind: "clock"; readonly nowMs: number }
  | { readonly kind: "ended"; readonly id: number; readonly exchange: Exchange }
  | { readonly kind: "health"; readonly reading: HealthReading };
