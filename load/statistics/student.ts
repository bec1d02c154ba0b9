import { betaCdf } from "./beta.ts";

const HALVINGS = 60;
const T_MAX = 1_000;

/** The t such that a Student variable with `freedom` degrees lies below it with `probability` (≥ 0.5). */
export function studentQuantile(probability: number, freedom: number): number {
  let low = 0;
  let high = T_MAX;
  for (let halving = 0; halving < HALVINGS; halving++) {
    const middle = (low + high) / 2;
    if (studentCdf(middle, freedom) < probability) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

function studentCdf(t: number, freedom: number): number {
  return 1 - 0.5 * betaCdf(freedom / (freedom + t * t), freedom / 2, 0.5);
}
