/** How thoroughly. All times are for one shape on one replica. Plain data: a plan keeps its own copy. */
export interface Preset {
  readonly name: string;
  /** For people. */
  readonly about: string;
  readonly warmUp: {
    readonly concurrencies: readonly number[];
    readonly requests: number;
    readonly msMax: number;
  };
  /** One request at a time. */
  readonly minimum: {
    readonly requests: number;
    readonly windowMsMin: number;
    readonly windowMsMax: number;
  };
  readonly ladder: {
    /** Each level is this many times the last. */
    readonly factor: number;
    readonly concurrencyMax: number;
    readonly windowMsMin: number;
    readonly windowMsMax: number;
    /** After the ladder one level far beyond it, 0 for none. */
    readonly flood: number;
    /** An open loop may begin with so many times what the highest level held, to fill an engine that was not; 1 when absent. */
    readonly overfill?: number;
    /** Stops at the first level that gains nothing, rather than at the second. */
    readonly impatient: boolean;
  };
  /** Open-loop rates as shares of the highest throughput: about equal steps of ρ/(1 − ρ), and past it. */
  readonly envelope: readonly number[];
  readonly window: {
    readonly windowMsMin: number;
    readonly windowMsMax: number;
    /** Samples wanted, which sets the highest percentile printed. */
    readonly requests: number;
  };
  /**
   * Probes of the capacity search per objective, how far each may extend the longest window, and the width of the interval
   * that is enough: a quarter of it costs sixteen times the requests.
   */
  readonly refine: { readonly probes: number; readonly extend: number; readonly ratio: number };
  /** Every open-loop level is held so many times. */
  readonly repeats: number;
  /** No new point begins after this; what is open then stays "undecided". */
  readonly budgetMs: number;
}

/** Wait grows like ρ/(1 − ρ): spaced in that, levels crowd where the curve bends, not where it is flat. */
const FULL_ENVELOPE = [0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.75, 0.85, 0.9, 0.95, 1, 1.1];

export const presets = {
  smoke: {
    name: "smoke",
    about: "under a minute: alone, a few levels, a flood; no open loop",
    warmUp: { concurrencies: [2], requests: 10, msMax: 4_000 },
    minimum: { requests: 11, windowMsMin: 6_000, windowMsMax: 9_000 },
    ladder: {
      factor: 4,
      concurrencyMax: 64,
      windowMsMin: 3_000,
      windowMsMax: 3_000,
      flood: 256,
      impatient: true,
    },
    envelope: [],
    window: { windowMsMin: 3_000, windowMsMax: 6_000, requests: 11 },
    refine: { probes: 0, extend: 1, ratio: 1.15 },
    repeats: 1,
    budgetMs: 50_000,
  },
  quick: {
    name: "quick",
    about: "about 5 minutes: the curve in a few levels, capacity in a wide interval",
    warmUp: { concurrencies: [2, 8], requests: 10, msMax: 10_000 },
    minimum: { requests: 11, windowMsMin: 8_000, windowMsMax: 30_000 },
    ladder: {
      factor: 4,
      concurrencyMax: 512,
      overfill: 1.5,
      windowMsMin: 8_000,
      windowMsMax: 12_000,
      flood: 0,
      impatient: true,
    },
    envelope: [0.1, 0.35, 0.7, 0.85, 1.1],
    window: { windowMsMin: 12_000, windowMsMax: 45_000, requests: 64 },
    refine: { probes: 2, extend: 1, ratio: 1.15 },
    repeats: 1,
    budgetMs: 5.75 * 60_000,
  },
  standard: {
    name: "standard",
    about:
      "up to 20 minutes: twelve levels, capacity within 5 % where the engine lets itself be measured",
    warmUp: { concurrencies: [2, 8], requests: 10, msMax: 60_000 },
    minimum: { requests: 11, windowMsMin: 12_000, windowMsMax: 60_000 },
    ladder: {
      factor: 2,
      concurrencyMax: 512,
      overfill: 1.5,
      windowMsMin: 12_000,
      windowMsMax: 20_000,
      flood: 0,
      impatient: false,
    },
    envelope: FULL_ENVELOPE,
    window: { windowMsMin: 20_000, windowMsMax: 120_000, requests: 130 },
    refine: { probes: 5, extend: 3, ratio: 1.05 },
    repeats: 1,
    budgetMs: 20 * 60_000,
  },
  full: {
    name: "full",
    about: "hours: 662 requests a level for the 99th percentile, three times over",
    warmUp: { concurrencies: [2, 8], requests: 10, msMax: 60_000 },
    minimum: { requests: 64, windowMsMin: 30_000, windowMsMax: 600_000 },
    ladder: {
      factor: 2,
      concurrencyMax: 1024,
      overfill: 1.5,
      windowMsMin: 30_000,
      windowMsMax: 120_000,
      flood: 0,
      impatient: false,
    },
    envelope: FULL_ENVELOPE,
    window: { windowMsMin: 30_000, windowMsMax: 600_000, requests: 662 },
    refine: { probes: 8, extend: 3, ratio: 1.05 },
    repeats: 3,
    budgetMs: 12 * 3_600_000,
  },
} as const satisfies Readonly<Record<string, Preset>>;

export type PresetName = keyof typeof presets;
