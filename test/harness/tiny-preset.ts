import type { Preset } from "../../load/sweep/presets.ts";

/** A sweep of a few seconds: what matters in its tests is around it, not its figures. */
export const TINY: Preset = {
  name: "tiny",
  about: "seconds",
  warmUp: { concurrencies: [2], requests: 4, msMax: 400 },
  minimum: { requests: 11, windowMsMin: 400, windowMsMax: 1_200 },
  ladder: {
    factor: 4,
    concurrencyMax: 4,
    windowMsMin: 400,
    windowMsMax: 800,
    flood: 0,
    impatient: true,
  },
  envelope: [],
  window: { windowMsMin: 400, windowMsMax: 800, requests: 11 },
  refine: { probes: 0, extend: 1, ratio: 1.15 },
  repeats: 1,
  budgetMs: 20_000,
};

/** One that goes on until somebody stops it. */
export const ENDLESS: Preset = {
  ...TINY,
  name: "endless",
  minimum: { requests: 1_000_000, windowMsMin: 600_000, windowMsMax: 600_000 },
};
