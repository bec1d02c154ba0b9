/** One thing wrong with the configuration. */
export interface ConfigProblem {
  /** Where it stands: `pitot.yaml:12:5`, `PITOT_LISTEN`, `--listen`, or the file alone. */
  readonly where: string;
  /** One sentence: field, value, what to do. */
  readonly message: string;
}

/** A configuration that cannot be used. Carries every problem found, not only the first. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map(({ where, message }) => `${where}: ${message}`).join("\n"));
    this.problems = problems;
  }
}
