/** A sweep that cannot be had, in one sentence; `code` says which answer of the API it is. */
export class SweepError extends Error {
  override readonly name = "SweepError";
  readonly code: "invalid_sweep" | "not_found" | "conflict" | "confirmation_required";

  constructor(code: SweepError["code"], message: string) {
    super(message);
    this.code = code;
  }
}
