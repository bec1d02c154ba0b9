import type { SloOptions } from "../options.ts";

/** Where one promise stands, with everything needed to read it: what it is, how it is kept, what it counts. */
export interface SloView {
  readonly name: string;
  /** In words: "95 % of chat requests: first token < 300 ms over 28 days". */
  readonly sentence: string;
  readonly options: SloOptions;
  readonly good: number;
  readonly valid: number;
  /** good / valid in the period; `null` without a valid request. */
  readonly attainment: number | null;
  /** Share of the error budget left in the period, below zero when overspent; `null` without a valid request. */
  readonly budgetRemaining: number | null;
  /** Burn rate by window: 1 spends the budget in exactly the period; `null` without a valid request in it. */
  readonly burn: readonly BurnView[];
  /** At the burn rate of the last hour (scaled with the period), until nothing is left; `null`: never. */
  readonly exhaustedInMs: number | null;
  /** The worst that is firing. */
  readonly state: "ok" | "ticket" | "page";
  readonly alerts: readonly AlertView[];
  /** Requests that matched but do not count, by why. */
  readonly excluded: Readonly<Record<ExclusionReason, number>>;
  /** Budget left at equal steps over the period, oldest first; `null` before there was data. */
  readonly budgetHistory: readonly (number | null)[];
  readonly judgedMs: number;
}

/** Why a matching request is not valid: nobody's failure, or not what the promise is about. */
export type ExclusionReason = "cancelled" | "rejected" | "not-applicable";

export interface BurnView {
  readonly windowMs: number;
  readonly rate: number | null;
  readonly valid: number;
}

/** One rule: burn above the factor in the long and in the short window. */
export interface AlertView {
  readonly severity: "page" | "ticket";
  readonly longMs: number;
  readonly shortMs: number;
  readonly factor: number;
  /** The factor before it was capped to what the objective lets a burn rate reach; `null` when it was not. */
  readonly cappedFrom: number | null;
  readonly longRate: number | null;
  readonly shortRate: number | null;
  readonly firing: boolean;
  /** Since when it fires or is quiet; `null` before the first judgement that changed it. */
  readonly sinceMs: number | null;
  /** Why it is quiet although the rate is above: too few bad requests to tell. */
  readonly held: boolean;
}
