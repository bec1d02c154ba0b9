import { EXIT } from "./exit.ts";

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/** Resolves on the first SIGINT or SIGTERM, with its name. The second one is left to the caller or to Node, which ends the process. */
export function untilInterrupted(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    const stop = (signal: NodeJS.Signals): void => {
      for (const one of SIGNALS) process.off(one, stop);
      resolve(signal);
    };
    for (const one of SIGNALS) process.on(one, stop);
  });
}

/** From now on a signal ends the process at once: whoever sends a second one does not want to wait. */
export function exitOnNextSignal(): void {
  for (const one of SIGNALS) process.on(one, () => process.exit(EXIT.interrupted));
}
