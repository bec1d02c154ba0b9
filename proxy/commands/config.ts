import { Command } from "commander";
import { stringify } from "yaml";
import { ConfigError } from "../config/config-error.ts";
import { type Settings, settingsJsonSchema } from "../config/schema.ts";
import { shownSettings } from "../config/shown-settings.ts";
import { loadSettings } from "../config/settings.ts";
import { CommandError, EXIT } from "./exit.ts";

interface ConfigFlags {
  readonly config?: string;
  readonly json?: true;
}

const FILE_FLAG = ["-c, --config <file>", "the file; PITOT_CONFIG or none unless given"] as const;

/** `pitot config`: checks, shows and describes the configuration without starting anything. */
export function configCommand(): Command {
  const config = new Command("config").description("check, print or describe the configuration");
  config
    .command("check")
    .description("say what is wrong with the configuration, with line and column")
    .argument("[file]", "same as --config")
    .option(...FILE_FLAG)
    .action((file: string | undefined, flags: ConfigFlags) => {
      const settings = settingsOf(file ?? flags.config);
      process.stdout.write(`ok: ${settings.replicas.length} replicas\n`);
    });
  config
    .command("print")
    .description("show the effective configuration: defaults, file, environment; secrets redacted")
    .argument("[file]", "same as --config")
    .option(...FILE_FLAG)
    .option("--json", "as JSON")
    .action((file: string | undefined, flags: ConfigFlags) => {
      const shown = shownSettings(settingsOf(file ?? flags.config));
      process.stdout.write(
        flags.json === true ? `${JSON.stringify(shown, null, 2)}\n` : stringify(shown),
      );
    });
  config
    .command("schema")
    .description("print the JSON Schema of pitot.yaml, for editors and CI")
    .action(() => {
      process.stdout.write(`${JSON.stringify(settingsJsonSchema(), null, 2)}\n`);
    });
  return config;
}

function settingsOf(file: string | undefined): Settings {
  return settingsOrUsage(() =>
    loadSettings({
      file: file ?? process.env["PITOT_CONFIG"] ?? null,
      environment: process.env,
      flags: {},
    }),
  );
}

/** Runs `load`; a {@link ConfigError} becomes the command's own: every problem on a line, exit status 2. */
export function settingsOrUsage<Read>(load: () => Read): Read {
  try {
    return load();
  } catch (error) {
    if (error instanceof ConfigError) throw new CommandError(EXIT.usage, error.message);
    throw error;
  }
}
