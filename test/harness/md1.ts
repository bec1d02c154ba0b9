/**
 * The M/D/1 queue: Poisson arrivals, one server that takes exactly as long for each. Its waiting time has a closed form
 * all of whose terms are positive (Franx 2001, "A simple solution for the M/D/c waiting time distribution", Operations
 * Research Letters 29), so a capacity found by measuring can be compared with the true one.
 */
export function waitCdf(waitMs: number, ratePerSecond: number, serviceMs: number): number {
  const load = (ratePerSecond * serviceMs) / 1000;
  if (load >= 1) return 0;
  if (waitMs < 0) return 0;
  const steps = Math.floor(waitMs / serviceMs) + 1;
  const queue = queueCdf(load, steps);
  const rest = (ratePerSecond / 1000) * (steps * serviceMs - waitMs);
  let term = Math.exp(-rest);
  let sum = 0;
  for (let j = 0; j < steps; j++) {
    sum += (queue[steps - 1 - j] ?? 0) * term;
    term *= rest / (j + 1);
  }
  return sum;
}

/** P(at most m wait, the one in service not counted), for m from 0 to `upTo`. */
function queueCdf(load: number, upTo: number): readonly number[] {
  // P(more than k arrivals during a service), from the far end so that nothing cancels.
  const more: number[] = [];
  const arrivals = poissonMasses(load, upTo + 60);
  let tail = 0;
  for (let k = arrivals.length - 1; k >= 0; k--) {
    more[k] = tail;
    tail += arrivals[k] ?? 0;
  }
  const inSystem = [1 - load];
  for (let n = 0; n <= upTo; n++) {
    let sum = (inSystem[0] ?? 0) * (more[n] ?? 0);
    for (let i = 1; i <= n; i++) sum += (inSystem[i] ?? 0) * (more[n + 1 - i] ?? 0);
    inSystem.push(sum / (arrivals[0] ?? 1));
  }
  let cumulative = inSystem[0] ?? 0;
  return inSystem.slice(1).map((mass) => (cumulative += mass));
}

function poissonMasses(mean: number, count: number): readonly number[] {
  const masses = [Math.exp(-mean)];
  for (let k = 1; k < count; k++) masses.push(((masses[k - 1] ?? 0) * mean) / k);
  return masses;
}

/** The rate at which exactly `share` of requests wait no longer than `waitMs`. */
export function trueCapacity(waitMs: number, share: number, serviceMs: number): number {
  let low = 0;
  let high = 1000 / serviceMs;
  for (let halving = 0; halving < 60; halving++) {
    const middle = (low + high) / 2;
    if (waitCdf(waitMs, middle, serviceMs) >= share) low = middle;
    else high = middle;
  }
  return low;
}
