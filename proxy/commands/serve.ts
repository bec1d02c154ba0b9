import { Command, Option } from "commander";
import { systemClock } from "../../engines/clock.ts";
import { ConfigError } from "../config/config-error.ts";
import { isLoopback, showAddress } from "../config/listen.ts";
import { Reloader } from "../config/reloader.ts";
import type { Settings } from "../config/schema.ts";
import { shownSettings } from "../config/shown-settings.ts";
import { loadSettings } from "../config/settings.ts";
import type { Tree } from "../config/layer.ts";
import { policyNames } from "../routing/policies/index.ts";
import type { RunningProxy } from "../serve.ts";
import { applySettings, serveOptions } from "./apply-settings.ts";
import { settingsOrUsage } from "./config.ts";
import { withDataDir } from "./data-dir.ts";
import { CommandError, EXIT, portInUse } from "./exit.ts";
import { untilUncaught } from "./last-resort.ts";
import { exitOnNextSignal, untilInterrupted } from "./until-interrupted.ts";

interface ServeFlags {
  readonly config?: string;
  readonly replica?: readonly string[];
  readonly listen?: string;
  readonly admin?: string;
  readonly adminOpen?: true;
  readonly policy?: string;
  readonly data?: string;
  readonly threads?: string;
}

/** `pitot serve`: the proxy in front of running engines. */
export function serveCommand(): Command {
  return new Command("serve")
    .description("the proxy: measures and routes in front of running engines")
    .option(
      "--replica <url...>",
      "an engine, http://host:port or name=http://host:port; repeatable",
    )
    .option("-c, --config <file>", "pitot.yaml; read again when it changes and on SIGHUP")
    .option("--listen <address>", "data plane (default: 0.0.0.0:8080)")
    .option("--admin <address>", "board, API and metrics (default: 127.0.0.1:8081)")
    .option("--admin-open", "let the admin listener be reached from other machines without a token")
    .addOption(
      new Option("--policy <name>", "how a replica is chosen (default: least-in-flight)").choices(
        policyNames,
      ),
    )
    .option("--threads <n>", "threads of the data path, all behind one port (default: 1)")
    .option("--data <dir>", "what survives a restart, or none (default: pitot-data)")
    .addHelpText(
      "after",
      "\nFlags beat the environment (PITOT_*), which beats the file.\n\nExample:\n  pitot serve --replica http://h100-a:8000 --replica http://h100-b:8000\n",
    )
    .action(runServe);
}

async function runServe(flags: ServeFlags): Promise<void> {
  const file = flags.config ?? process.env["PITOT_CONFIG"] ?? null;
  const load = (): Settings =>
    loadSettings({ file, environment: process.env, flags: flagTree(flags) });
  const settings = settingsOrUsage(load);
  const token = process.env["PITOT_ADMIN_TOKEN"] ?? null;
  refuseOpenAdmin(settings, token, flags.adminOpen);
  if (settings.replicas.length === 0 && file === null) {
    throw new CommandError(
      EXIT.usage,
      "no replica was given: name one with --replica http://host:port, or a file with --config.",
    );
  }
  let current = settings;
  const proxy = await start(settings, { token, shown: () => shownSettings(current) });
  // Without a file there is nothing to read again, and no reason to end either.
  if (file === null) process.on("SIGHUP", () => {});
  const reloader =
    file === null
      ? null
      : watchSettings(proxy, settings, {
          file,
          load,
          onApplied: (next) => {
            current = next;
          },
        });
  const ended = Promise.race([
    untilInterrupted(),
    untilUncaught(say).then(({ kind, text }) => {
      const atMs = systemClock.nowMs();
      proxy.feed.event({ atMs, kind: "internal-error", subject: "proxy", message: text });
      return kind;
    }),
  ]);
  // Whoever reads this may send a signal at once.
  say(
    `pitot: ${proxy.dataUrl}/v1 → ${settings.replicas.length} replicas; board ${proxy.adminUrl}/`,
  );
  const why = await ended;
  say(`pitot: ${why}: finishing ${proxy.feed.inFlightCount} requests; a signal more stops at once`);
  exitOnNextSignal();
  reloader?.stop();
  const cut = await proxy.stop(settings.drain.deadlineMs);
  if (cut > 0) say(`pitot: cut ${cut} requests that were not over by then`);
  if (why === "exception" || why === "rejection") process.exit(EXIT.failure);
  process.exit(why === "SIGINT" ? EXIT.interrupted : EXIT.ok);
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

async function start(
  settings: Settings,
  { token, shown }: { readonly token: string | null; readonly shown: () => object },
): Promise<RunningProxy> {
  const { startProxy } = await import("../serve.ts");
  const { FleetError } = await import("../upstream/fleet.ts");
  try {
    const options = serveOptions(settings, token);
    return await withDataDir(settings.data, (dataDir) =>
      startProxy({ ...options, shownConfig: shown, telemetry: { ...options.telemetry, dataDir } }),
    );
  } catch (error) {
    if (error instanceof ConfigError) throw new CommandError(EXIT.usage, error.message);
    if (error instanceof FleetError)
      throw new CommandError(EXIT.usage, `--replica: ${error.message}`);
    const { listen, admin } = settings;
    throw (
      portInUse(error, "--listen or --admin", `${showAddress(listen)} or ${showAddress(admin)}`) ??
      error
    );
  }
}

/** Reloads on change and on SIGHUP; tells the feed and stderr how it went. */
function watchSettings(
  proxy: RunningProxy,
  first: Settings,
  {
    file,
    load,
    onApplied,
  }: {
    readonly file: string;
    readonly load: () => Settings;
    readonly onApplied: (settings: Settings) => void;
  },
): Reloader {
  let current = first;
  const reloader = new Reloader({
    file,
    clock: systemClock,
    load,
    apply: (next) => {
      const said = applySettings(proxy, current, next);
      current = next;
      onApplied(next);
      return said;
    },
    onResult: ({ atMs, ok, message, version }) => {
      const kind = ok ? "config-reloaded" : "config-rejected";
      proxy.feed.event({ atMs, kind, subject: file, message });
      process.stderr.write(
        ok
          ? `pitot: configuration ${version}: ${message}\n`
          : `pitot: ${file} was not applied:\n${message}\n`,
      );
    },
  });
  process.on("SIGHUP", () => {
    reloader.reload();
  });
  return reloader;
}

function refuseOpenAdmin(settings: Settings, token: string | null, open: true | undefined): void {
  if (isLoopback(settings.admin) || token !== null || open === true) return;
  throw new CommandError(
    EXIT.usage,
    `--admin ${showAddress(settings.admin)} can be reached from other machines: set PITOT_ADMIN_TOKEN, or say --admin-open if that is meant.`,
  );
}

/** The flags that were given, in the schema's names. */
function flagTree({ replica, listen, admin, policy, threads, data }: ServeFlags): Tree {
  return {
    ...(replica === undefined ? {} : { replicas: replica }),
    ...(listen === undefined ? {} : { listen }),
    ...(admin === undefined ? {} : { admin }),
    ...(policy === undefined ? {} : { routing: { policy } }),
    ...(data === undefined ? {} : { data }),
    // A word stays a word, so that the check names it.
    ...(threads === undefined ? {} : { threads: Number(threads) || threads }),
  };
}
