/** An error nobody caught, and where it came from. */
export interface UncaughtError {
  readonly kind: "exception" | "rejection";
  readonly text: string;
}

/**
 * Resolves with the first error that nobody caught. The process is then in a state nobody has thought of: its owner
 * lets what runs finish and ends it. Later ones are written down and change nothing. Signals without a meaning here are
 * ignored instead of ending the process, and so are readers of our output that went away.
 */
export function untilUncaught(write: (line: string) => void): Promise<UncaughtError> {
  for (const stream of [process.stdout, process.stderr]) stream.on("error", ignoreBrokenPipe);
  process.on("SIGUSR2", () => {});
  return new Promise((resolve) => {
    const take = (kind: UncaughtError["kind"], error: unknown): void => {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      write(`pitot: uncaught ${kind}: ${text}`);
      resolve({ kind, text });
    };
    process.on("uncaughtException", (error) => {
      take("exception", error);
    });
    process.on("unhandledRejection", (reason) => {
      take("rejection", reason);
    });
  });
}

/** Whoever read our output has gone: no reason to go too. Anything else that is wrong with it cannot be written anywhere. */
function ignoreBrokenPipe(): void {}
