export type LaunchFailure = "port-taken" | "not-found" | "ended" | "timeout" | "wrong-engine";

/** An engine that could not be started: one sentence, with the end of its log where that explains it. */
export class LaunchError extends Error {
  override readonly name = "LaunchError";
  readonly failure: LaunchFailure;

  constructor(failure: LaunchFailure, message: string) {
    super(message);
    this.failure = failure;
  }
}
