/** A body the engine refuses; `param` names the field. */
export class BodyError extends Error {
  override readonly name = "BodyError";
  readonly param: string;

  constructor(param: string, message: string) {
    super(message);
    this.param = param;
  }
}
