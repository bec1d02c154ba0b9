import type { Gpu } from "./gpus.ts";
import type { MemoryPlan, ServingEngine } from "./memory.ts";
import type { Model } from "./models.ts";
import type { StoredType } from "./checkpoints.ts";

/** How to start one engine with one model on one kind of card: everything a person, a container or a launcher needs. */
export interface Recipe {
  readonly engine: ServingEngine;
  /** The release the command was written for. */
  readonly version: string;
  readonly model: Model;
  /** Repository the weights come from. */
  readonly checkpoint: string;
  readonly weights: StoredType;
  readonly gpu: Gpu;
  readonly tp: number;
  readonly port: number;
  /** How to get that release without a container. */
  readonly install: string;
  readonly image: string;
  /** Program and arguments on the machine itself. */
  readonly command: readonly string[];
  /** The program inside the image; empty where the image's own entry point is the engine. */
  readonly entry: readonly string[];
  /** What that program is given. */
  readonly containerArgs: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** A file the command reads, to be written first. */
  readonly file: RecipeFile | null;
  /** Where downloaded weights lie inside the container. */
  readonly cacheDir: string;
  readonly containerEnv: Readonly<Record<string, string>>;
  /** Answers 200 once the engine can work. */
  readonly healthPath: string;
  /** Answers 200 while the process lives, and costs nothing. */
  readonly livePath: string;
  /** Statistics in Prometheus' form, switched on by this command. */
  readonly metricsPath: string;
  readonly memory: MemoryPlan;
  /** What to know before running it, one sentence each. */
  readonly notes: readonly string[];
}

export interface RecipeFile {
  /** A bare name: beside the command for a process, under {@link CONFIG_DIR} in a container. */
  readonly name: string;
  readonly content: string;
}

/** Where a container finds its {@link RecipeFile}. */
export const CONFIG_DIR = "/etc/pitot";

/** What a recipe is asked for. */
export interface RecipeRequest {
  readonly engine: string;
  readonly model: string;
  readonly gpu?: string;
  readonly tp?: number;
  readonly weights?: StoredType;
  readonly port?: number;
}

/** A recipe that cannot be, in one sentence that says what to change. */
export class RecipeError extends Error {
  override readonly name = "RecipeError";
}

/** A request whose names have been found. */
export interface Subject {
  readonly engine: ServingEngine;
  readonly model: Model;
  readonly gpu: Gpu;
  readonly tp: number;
  readonly weights: StoredType;
}
