import { Command, Option } from "commander";
import { isLoopback, type ListenAddress, parseListen, showAddress } from "../config/listen.ts";
import { CommandError, EXIT, portInUse } from "./exit.ts";
import { untilInterrupted } from "./until-interrupted.ts";

interface ServeFlags {
  readonly replica: readonly string[];
  readonly listen: ListenAddress;
  readonly admin: ListenAddress;
  readonly adminOpen?: true;
  readonly policy: "least-in-flight" | "round-robin";
}

/** After the first signal streams may finish this long; a second signal ends them at once. */
const DRAIN_MS = 120_000;

/** `pitot serve`: the proxy in front of running engines. */
export function serveCommand(): Command {
  return new Command("serve")
    .description("the proxy: measures and routes in front of running engines")
    .requiredOption(
      "--replica <url...>",
      "an engine, http://host:port or name=http://host:port; repeatable",
    )
    .option("--listen <address>", "data plane", parseListen, parseListen("0.0.0.0:8080"))
    .option(
      "--admin <address>",
      "board, API and metrics",
      parseListen,
      parseListen("127.0.0.1:8081"),
    )
    .option("--admin-open", "let the admin listener be reached from other machines without a token")
    .addOption(
      new Option("--policy <name>", "how a replica is chosen")
        .choices(["least-in-flight", "round-robin"])
        .default("least-in-flight"),
    )
    .addHelpText(
      "after",
      "\nExample:\n  pitot serve --replica http://h100-a:8000 --replica http://h100-b:8000\n",
    )
    .action(runServe);
}

async function runServe(flags: ServeFlags): Promise<void> {
  const token = process.env["PITOT_ADMIN_TOKEN"] ?? null;
  if (!isLoopback(flags.admin) && token === null && flags.adminOpen !== true) {
    throw new CommandError(
      EXIT.usage,
      `--admin ${showAddress(flags.admin)} can be reached from other machines: set PITOT_ADMIN_TOKEN, or say --admin-open if that is meant.`,
    );
  }
  const { startProxy } = await import("../serve.ts");
  const { FleetError } = await import("../upstream/fleet.ts");
  const { replica: replicas, listen, admin, policy } = flags;
  try {
    const proxy = await startProxy({ replicas, listen, admin, policy, adminToken: token });
    process.stderr.write(
      `pitot: ${proxy.dataUrl}/v1 → ${replicas.length} replicas; board ${proxy.adminUrl}/\n`,
    );
    const signal = await untilInterrupted();
    process.stderr.write(
      `pitot: ${signal}: finishing ${proxy.feed.inFlightCount} requests; once more to stop at once\n`,
    );
    void untilInterrupted().then(() => process.exit(EXIT.interrupted));
    await proxy.stop(DRAIN_MS);
    process.exit(signal === "SIGINT" ? EXIT.interrupted : EXIT.ok);
  } catch (error) {
    if (error instanceof FleetError)
      throw new CommandError(EXIT.usage, `--replica: ${error.message}`);
    throw (
      portInUse(error, "--listen or --admin", `${showAddress(listen)} or ${showAddress(admin)}`) ??
      error
    );
  }
}
