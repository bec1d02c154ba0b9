import { z } from "zod";

/** A day: longer times in a configuration are slips of a unit. */
export const milliseconds = z.number().positive().max(86_400_000);
/** Short names with short texts: labels, headers. */
export const names = z.record(z.string().min(1).max(256), z.string().max(8192));
/** A part of a whole. */
export const share = z.number().min(0).max(1);
export const count = z.number().int().min(1).max(1_000_000);
export const bytes = z.number().int().min(1024).max(1_099_511_627_776);

/** Without the fields that are not set, so that they do not hide a default. */
export function defined<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
