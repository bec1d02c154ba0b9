import type { Tally } from "./good-valid.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** Windows are those of a four-week period; a shorter one shrinks them in proportion. */
const BASE_PERIOD_MS = 28 * DAY_MS;

/** So much of the budget gone within the long window, and still going in the short one, is worth telling. */
interface RuleShape {
  readonly severity: "page" | "ticket";
  readonly budgetShare: number;
  readonly longMs: number;
  readonly shortMs: number;
}

/** Google's four rules (SRE Workbook, "Alerting on SLOs"; the table of Sloth's google-30d.yaml). */
const RULES: readonly RuleShape[] = [
  { severity: "page", budgetShare: 0.02, longMs: HOUR_MS, shortMs: 5 * MINUTE_MS },
  { severity: "page", budgetShare: 0.05, longMs: 6 * HOUR_MS, shortMs: 30 * MINUTE_MS },
  { severity: "ticket", budgetShare: 0.1, longMs: DAY_MS, shortMs: 2 * HOUR_MS },
  { severity: "ticket", budgetShare: 0.1, longMs: 3 * DAY_MS, shortMs: 6 * HOUR_MS },
];

/** A rule for one promise: its windows and the burn rate above which it fires. */
export interface BurnRule {
  readonly severity: "page" | "ticket";
  readonly longMs: number;
  readonly shortMs: number;
  readonly factor: number;
  readonly cappedFrom: number | null;
}

/**
 * With an objective of 95 % not even an outage burns faster than 20 ×, with 90 % not faster than 10 ×: a factor near or
 * above that never fires. It is capped at this share of the greatest possible burn rate.
 */
const FACTOR_CAP_SHARE = 0.5;

/**
 * Bad requests needed in the long window. Three in a night may be chance; with fewer an alert would be about a single
 * user's single request, whatever the ratio says.
 */
export const BAD_MIN = 3;
/** One-sided 95 %: an alert may be wrong one time in twenty, not more. */
const WILSON_Z = 1.645;

/** The rules of a promise. */
export function rulesFor(objective: number, periodMs: number): readonly BurnRule[] {
  const scale = Math.min(1, periodMs / BASE_PERIOD_MS);
  const scaled = (ms: number): number =>
    Math.max(MINUTE_MS, Math.round((ms * scale) / MINUTE_MS) * MINUTE_MS);
  const cap = FACTOR_CAP_SHARE / (1 - objective);
  return RULES.map(({ severity, budgetShare, longMs, shortMs }) => {
    const long = scaled(longMs);
    const wanted = (budgetShare * periodMs) / long;
    return {
      severity,
      longMs: long,
      shortMs: scaled(shortMs),
      factor: Math.min(wanted, cap),
      cappedFrom: wanted > cap ? wanted : null,
    };
  });
}

/** Burn rate of a window: 1 spends the budget in exactly the period. `null` without a valid request. */
export function burnRate({ good, valid }: Tally, objective: number): number | null {
  return valid === 0 ? null : (valid - good) / valid / (1 - objective);
}

/** What a rule says of the two windows. `held`: the rate is above, but too few bad requests make it certain. */
export type RuleVerdict = "quiet" | "held" | "firing";

/**
 * The long window must be above the factor beyond chance: the lower Wilson bound of its bad share, and a few bad requests
 * in number. The short window only has to agree that it is still so, by its plain rate: it is there to end the alert soon.
 */
export function judge(rule: BurnRule, objective: number, long: Tally, short: Tally): RuleVerdict {
  const longRate = burnRate(long, objective);
  const shortRate = burnRate(short, objective);
  if (longRate === null || longRate <= rule.factor) return "quiet";
  if (shortRate === null || shortRate <= rule.factor) return "quiet";
  const bad = long.valid - long.good;
  const sure = wilsonLower(bad, long.valid) / (1 - objective) > rule.factor;
  return sure && bad >= BAD_MIN ? "firing" : "held";
}

/** Lower end of the Wilson score interval (Wilson 1927) of a share. */
export function wilsonLower(hits: number, total: number): number {
  if (total === 0) return 0;
  const share = hits / total;
  const z2 = WILSON_Z ** 2;
  const middle = share + z2 / (2 * total);
  const spread = WILSON_Z * Math.sqrt((share * (1 - share)) / total + z2 / (4 * total * total));
  return Math.max(0, (middle - spread) / (1 + z2 / total));
}
