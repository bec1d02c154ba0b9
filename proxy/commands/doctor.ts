import { Command, InvalidArgumentError } from "commander";
import type { Examination } from "../doctor/examination.ts";
import type { ReplicaSpec } from "../upstream/fleet.ts";
import { type ConnectionFlags, connectionOf, withConnectionFlags } from "./connection-flags.ts";
import { CommandError, EXIT, type ExitStatus } from "./exit.ts";

interface DoctorFlags extends ConnectionFlags {
  readonly config?: string;
  readonly model?: string;
  readonly request: boolean;
  readonly idleWatch: number;
  readonly json?: true;
}

/** A watch this long still ends within the limit of an examination. */
const IDLE_WATCH_MAX_S = 15;
const IDLE_WATCH_S = 4;

/** `pitot doctor`: what answers at a URL, what of it can be measured, and what to change. */
export function doctorCommand(): Command {
  return withConnectionFlags(new Command("doctor"))
    .description("examine engines: what they are, what of them can be measured, what to change")
    .argument("[url...]", "engines or proxies, http://host:port")
    .option(
      "-c, --config <file>",
      "examine the replicas of a pitot.yaml, each with its own key and certificates",
    )
    .option("--model <name>", "model to ask (the first it lists when absent)")
    .option("--no-request", "send nothing that makes the engine work")
    .option("--idle-watch <s>", "how long a silent connection is watched", watchFlag, IDLE_WATCH_S)
    .option("--json", "print one JSON document")
    .addHelpText(
      "after",
      "\nExit: 0 all can be measured (advice or not), 1 something must be done first (a key, a model, an engine that answers),\n2 a bad call, 3 one was not reached.\n\nExamples:\n  pitot doctor http://h100-a:8000 http://h100-b:8000\n  PITOT_API_KEY=… pitot doctor https://engines.internal --ca ca.pem --json\n",
    )
    .action(runDoctor);
}

async function runDoctor(texts: readonly string[], flags: DoctorFlags): Promise<void> {
  const { beginExamination } = await import("../doctor/examine.ts");
  const { report } = await import("../doctor/report.ts");
  const { systemClock } = await import("../../engines/clock.ts");
  const patients = [...(await fromFlags(texts, flags)), ...(await fromFile(flags.config))];
  if (patients.length === 0)
    throw new CommandError(EXIT.usage, "no URL was given: name engines, or a file with --config.");
  if (process.stderr.isTTY)
    process.stderr.write(`pitot: examining ${patients.length}, about ${flags.idleWatch + 1} s\n`);
  const how = {
    clock: systemClock,
    quiet: !flags.request,
    idleWatchMs: flags.idleWatch * 1000,
    ...(flags.model === undefined ? {} : { model: flags.model }),
  };
  // One after the other: two at once would measure each other.
  const begun = [];
  for (const patient of patients)
    begun.push(await beginExamination(patient.url, { ...patient, ...how }));
  const found = await Promise.all(begun.map(({ rest }) => rest));
  const text =
    flags.json === true
      ? `${JSON.stringify({ replicas: found }, null, 2)}\n`
      : found.map(report).join("\n");
  process.stdout.write(text);
  process.exitCode = statusOf(found);
}

/** The worst of them speaks for all. */
function statusOf(found: readonly Examination[]): ExitStatus {
  if (found.some(({ state }) => state === "unreachable")) return EXIT.unreachable;
  return found.some(({ state }) => state === "failed") ? EXIT.failure : EXIT.ok;
}

async function fromFlags(
  texts: readonly string[],
  flags: DoctorFlags,
): Promise<readonly ReplicaSpec[]> {
  const { originOf } = await import("../upstream/replica-set.ts");
  const { FleetError } = await import("../upstream/fleet.ts");
  const connection = connectionOf(flags);
  try {
    return texts.map((text) => ({ url: originOf(text), ...connection }));
  } catch (error) {
    throw error instanceof FleetError ? new CommandError(EXIT.usage, error.message) : error;
  }
}

/** The replicas of a configuration file, each with its own key and certificates. */
async function fromFile(file: string | undefined): Promise<readonly ReplicaSpec[]> {
  if (file === undefined) return [];
  const { loadSettings } = await import("../config/settings.ts");
  const { replicaSpecs } = await import("../config/replica-specs.ts");
  const { settingsOrUsage } = await import("./config.ts");
  const { originOf } = await import("../upstream/replica-set.ts");
  return settingsOrUsage(() => {
    const { replicas } = loadSettings({ file, environment: process.env, flags: {} });
    return replicaSpecs(replicas, process.env).map((spec) => ({
      ...spec,
      url: originOf(spec.url),
    }));
  });
}

function watchFlag(text: string): number {
  const seconds = Number(text);
  if (text.trim() !== "" && seconds >= 0 && seconds <= IDLE_WATCH_MAX_S) return seconds;
  throw new InvalidArgumentError(
    `"${text}" is not a number of seconds from 0 to ${IDLE_WATCH_MAX_S}.`,
  );
}
