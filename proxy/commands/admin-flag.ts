import { InvalidArgumentError } from "commander";

export const ADMIN_DEFAULT = "http://127.0.0.1:8081";

/** A flag's parser for the admin address of a running proxy; a path in front of its own is kept. */
export function adminFlag(text: string): string {
  const url = URL.parse(text);
  if (url !== null && (url.protocol === "http:" || url.protocol === "https:")) return text;
  throw new InvalidArgumentError(`"${text}" is no address: write it as ${ADMIN_DEFAULT}.`);
}
