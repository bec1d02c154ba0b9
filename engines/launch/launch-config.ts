import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Recipe } from "../catalog/recipe.ts";
import { dockerRun } from "../catalog/recipe-forms.ts";
import type { EngineName } from "../engine.ts";
import type { Persona } from "../sim/profiles.ts";

/** How to start one engine and where it will answer. Real engines, containers and the simulator are all described by this. */
export interface LaunchConfig {
  /** For messages: "vllm 0.27.1". */
  readonly label: string;
  /** What must answer: a port may be somebody else's. */
  readonly engine: EngineName;
  /** Program and arguments. */
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Files the command reads, by bare name: written beside it in a folder made for this start. */
  readonly files?: Readonly<Record<string, string>>;
  /** Origin it will answer at. */
  readonly url: string;
  /** Answers 200 once it can work. */
  readonly healthPath: string;
  /** Sent with every probe: the key the engine was started with. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Name of its container, where it runs in one. */
  readonly container?: string;
  /** How to get the program, said when it is not there. */
  readonly install?: string;
}

/** An engine as a program on this machine. */
export function processLaunch(recipe: Recipe): LaunchConfig {
  const { command, env, file, install } = recipe;
  return {
    ...common(recipe),
    command,
    env,
    install,
    ...(file === null ? {} : { files: { [file.name]: file.content } }),
  };
}

/** An engine in a container that is removed when it ends; its weights stay in the user's cache. */
export function containerLaunch(recipe: Recipe, name: string): LaunchConfig {
  const { file, cacheDir } = recipe;
  const cache = join(homedir(), cacheDir.slice(cacheDir.indexOf("/.cache/")));
  return {
    ...common(recipe),
    // Docker takes a mount relative to where it is run (since 23.0).
    command: dockerRun(recipe, { name, host: { cache, config: "." } }),
    container: name,
    install: "https://docs.docker.com/engine/install",
    ...(file === null ? {} : { files: { [file.name]: file.content } }),
  };
}

function common(recipe: Recipe): Pick<LaunchConfig, "label" | "engine" | "url" | "healthPath"> {
  const { engine, version, port, healthPath } = recipe;
  return { label: `${engine} ${version}`, engine, url: `http://127.0.0.1:${port}`, healthPath };
}

/** What the simulator is started with; everything but persona, model and port has a default. */
export interface SimulatorSetup {
  readonly persona: Persona;
  readonly model: string;
  readonly port: number;
  /** Further flags of `pitot sim`. */
  readonly flags?: readonly string[];
}

/** A simulated engine in a process of its own, launched like a real one. */
export function simulatorLaunch({
  persona,
  model,
  port,
  flags = [],
}: SimulatorSetup): LaunchConfig {
  const url = `http://127.0.0.1:${port}`;
  const command = [
    process.execPath,
    pitotProgram(),
    "sim",
    "--persona",
    persona,
    "--model",
    model,
    "--listen",
    `127.0.0.1:${port}`,
    ...flags,
  ];
  return { label: `simulated ${persona}`, engine: persona, command, url, healthPath: "/health" };
}

/** Sources lie two levels below the package, built files three. */
function pitotProgram(): string {
  const above = join(import.meta.dirname, "..", "..", "bin", "pitot.mjs");
  return existsSync(above)
    ? above
    : join(import.meta.dirname, "..", "..", "..", "bin", "pitot.mjs");
}
