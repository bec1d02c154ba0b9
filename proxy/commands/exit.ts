/** Exit statuses every command keeps to; scripts and CI lean on them. */
export const EXIT = {
  ok: 0,
  failure: 1,
  usage: 2,
  unreachable: 3,
  invalidRun: 4,
  /** k6's number for a crossed threshold, so that CI people know it. */
  threshold: 99,
  /** 128 + SIGINT: stopped by hand, everything measured so far is kept. */
  interrupted: 130,
} as const;

export type ExitStatus = (typeof EXIT)[keyof typeof EXIT];

/** Ends the program with a status and one plain sentence that says what to do. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly status: ExitStatus;

  constructor(status: ExitStatus, sentence: string) {
    super(sentence);
    this.status = status;
  }
}

/** The sentence for a port somebody else holds, or `null` for other errors. */
export function portInUse(error: unknown, flag: string, address: string): CommandError | null {
  if (!(error instanceof Error) || !("code" in error)) return null;
  if (error.code === "EADDRINUSE") {
    return new CommandError(
      EXIT.usage,
      `${address} is already in use: stop what listens there, or choose another address with ${flag}.`,
    );
  }
  if (error.code === "EACCES" || error.code === "EADDRNOTAVAIL") {
    return new CommandError(
      EXIT.usage,
      `cannot listen on ${address} (${error.code}): choose another address with ${flag}.`,
    );
  }
  return null;
}
