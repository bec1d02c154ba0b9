import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { connectionFault, type ConnectionOptions } from "../upstream/connection.ts";
import { CommandError, EXIT } from "./exit.ts";

/** Flags of every command that connects to an engine itself. */
export interface ConnectionFlags {
  readonly apiKey?: string;
  readonly ca?: string;
  readonly insecure?: true;
}

/** Adds them to a command. */
export function withConnectionFlags(command: Command): Command {
  return command
    .option("--api-key <key>", "sent as Authorization: Bearer (PITOT_API_KEY when absent)")
    .option("--ca <file>", "certificates in PEM to trust")
    .option("--insecure", "take any certificate");
}

/** What the flags and the environment say of a connection, checked before anything is sent. @throws {CommandError} naming the flag. */
export function connectionOf(flags: ConnectionFlags): ConnectionOptions {
  const apiKey = flags.apiKey ?? process.env["PITOT_API_KEY"];
  const tls = {
    ...(flags.ca === undefined ? {} : { ca: pem(flags.ca) }),
    ...(flags.insecure === true ? { insecure: true } : {}),
  };
  const options = { ...(apiKey === undefined || apiKey === "" ? {} : { apiKey }), tls };
  const fault = connectionFault(options);
  if (fault === null) return options;
  throw new CommandError(
    EXIT.usage,
    fault.includes("certificate")
      ? `--ca ${flags.ca} is no certificate: give it in PEM.`
      : `--api-key: ${fault}`,
  );
}

function pem(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    throw new CommandError(EXIT.usage, `--ca ${file} cannot be read: check the path.`);
  }
}
