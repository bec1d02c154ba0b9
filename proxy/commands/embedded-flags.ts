import { type Command, InvalidArgumentError, Option } from "commander";
import type { SweepRequest } from "../synthetic/sweep-view.ts";
import { ADMIN_DEFAULT, adminFlag } from "./admin-flag.ts";
import { durationFlag } from "./duration-flag.ts";
import { CommandError, EXIT } from "./exit.ts";
import { integerFlag, positiveFlag } from "./number-flag.ts";
import type { SweepFlags } from "./sweep.ts";
import { type TracedShapes, tracedShapes } from "./traced-shapes.ts";

/** Flags of `pitot sweep` that ask a running proxy to do it. */
export interface EmbeddedFlags {
  readonly replica?: string;
  readonly admin: string;
  readonly path?: "direct" | "routed" | "both";
  readonly traffic?: "drained" | "beside";
  readonly share?: number;
  readonly tokens?: number;
  readonly minutes?: number;
  readonly guardTtft?: number;
  readonly guardBurn?: number;
  readonly guardInFlight?: number;
  readonly confirm?: true;
  readonly force?: true;
}

/** A sweep's seed when nobody says. */
export const SEED_DEFAULT = 1;
const TOKENS_MAX = 10_000_000_000;
const IN_FLIGHT_MAX = 1_000_000;
/** A command that was killed stops asking: its sweep ends within this. Twenty asks may fail before. */
export const LEASE_SECONDS = 10;
/** What an embedded sweep has no counterpart of. */
const ELSEWHERE = [
  "mix",
  "dataset",
  "prefixShare",
  "turns",
  "think",
  "rate",
  "concurrency",
  "resume",
] as const satisfies readonly (keyof SweepFlags)[];

/** Adds them to a command. */
export function withEmbeddedFlags(command: Command): Command {
  return command
    .optionsGroup("A replica of a running proxy:")
    .option("--replica <id>", "sweep this replica from inside the proxy, in place of a URL")
    .option("--admin <url>", "the proxy's admin address", adminFlag, ADMIN_DEFAULT)
    .addOption(
      new Option(
        "--path <way>",
        "straight, through the proxy, or pairs on both (default: both)",
      ).choices(["direct", "routed", "both"]),
    )
    .addOption(
      new Option(
        "--traffic <mode>",
        "take it out of routing meanwhile, or sweep beside users (default: drained)",
      ).choices(["drained", "beside"]),
    )
    .option("--share <x>", "of what the replica may have under way, 0 to 1", shareFlag)
    .option("--tokens <n>", "stop after so many", integerFlag({ min: 1, max: TOKENS_MAX }))
    .option("--minutes <n>", "stop after so long", positiveFlag)
    .option("--guard-ttft <duration>", "stop when the users' TTFT p95 is above", durationFlag)
    .option("--guard-burn <x>", "stop when a promise burns faster", positiveFlag)
    .option(
      "--guard-in-flight <n>",
      "stop when more real requests are on the replica",
      integerFlag({ min: 0, max: IN_FLIGHT_MAX }),
    )
    .option("--confirm", "beside users: yes, I mean it")
    .option("--force", "even on the last replica that serves users");
}

/** The body that asks for what the flags say. @throws {CommandError} 2 for a flag that only works with a URL. */
export async function embeddedRequest(
  replica: string,
  url: string | undefined,
  flags: Omit<SweepFlags, "preset"> & { readonly preset?: string },
): Promise<SweepRequest> {
  if (url !== undefined)
    throw new CommandError(EXIT.usage, `name ${url} or --replica ${replica}, not both.`);
  const wrong = ELSEWHERE.find((name) => flags[name] !== undefined);
  if (wrong !== undefined)
    throw new CommandError(
      EXIT.usage,
      `--${wrong.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} does not go with --replica: sweep a URL with it.`,
    );
  const { MY_TRAFFIC } = await import("../synthetic/traffic-fit.ts");
  const traced = await tracedShapes(flags.shapes ?? []);
  if (traced.size > 1)
    throw new CommandError(EXIT.usage, "--shapes: one trace at a time goes with --replica.");
  const lists = (flags.shapes ?? []).map((list) => (traced.has(list) ? MY_TRAFFIC : list));
  const shapes = [...(flags.shape ?? []), ...lists];
  return {
    replica,
    // The default of a URL's sweep; a proxy draws its own, so that no prompt is in the cache already.
    ...(flags.seed === SEED_DEFAULT ? {} : { seed: flags.seed }),
    leaseSeconds: LEASE_SECONDS,
    ...given({
      preset: flags.preset,
      model: flags.model,
      path: flags.path,
      traffic: flags.traffic,
    }),
    ...given({ confirm: flags.confirm, force: flags.force, objectives: flags.objective }),
    ...(shapes.length === 0 ? {} : { shapes }),
    ...fitOf([...traced.values()][0]),
    limits: given({ share: flags.share, tokens: flags.tokens, minutes: flags.minutes }),
    guards: given({
      ttftP95Ms: flags.guardTtft,
      burnRate: flags.guardBurn,
      inFlight: flags.guardInFlight,
    }),
  };
}

/** A trace is fitted here: its file need not be where the proxy runs. */
function fitOf(traced: TracedShapes | undefined): Pick<SweepRequest, "fit"> {
  if (traced === undefined) return {};
  const { parts, cachedShare, arrivalCv } = traced.fit;
  return { fit: { parts, cachedShare, arrivalCv } };
}

/** Without the fields that are not set. */
function given<T extends object>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

function shareFlag(text: string): number {
  const value = Number(text);
  if (value > 0 && value <= 1) return value;
  throw new InvalidArgumentError(`"${text}" is not a share: write a number above 0, up to 1.`);
}
