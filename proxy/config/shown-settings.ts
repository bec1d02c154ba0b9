import { showAddress } from "./listen.ts";
import { redact } from "./redact.ts";
import type { Settings } from "./schema.ts";

/** The effective settings in the file's own form, secrets redacted. */
export function shownSettings(settings: Settings): object {
  const { listen, admin, ...rest } = settings;
  return redact({ listen: showAddress(listen), admin: showAddress(admin), ...rest });
}
