import { readFileSync, statSync } from "node:fs";

/** A secret longer than this is not one. */
const SECRET_BYTES_MAX = 65_536;

/**
 * Resolves `env:NAME` and `file:PATH`, so that a configuration can be kept in version control; any other text is itself.
 * @throws {Error} in one sentence when the variable is not set or the file cannot be read.
 */
export function resolveSecret(
  text: string,
  environment: Readonly<Record<string, string | undefined>>,
): string {
  if (text.startsWith("env:")) {
    const name = text.slice("env:".length);
    const value = environment[name];
    if (value === undefined || value === "")
      throw new Error(`the environment variable ${name} is not set.`);
    return value;
  }
  if (!text.startsWith("file:")) return text;
  const path = text.slice("file:".length);
  try {
    if (statSync(path).size > SECRET_BYTES_MAX) throw new Error("it is too large");
    return readFileSync(path, "utf8").trim();
  } catch (error) {
    throw new Error(`the secret file ${path} cannot be read (${(error as Error).message}).`, {
      cause: error,
    });
  }
}
