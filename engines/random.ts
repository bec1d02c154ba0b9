/** The only door to randomness. Seeded, so that a plan, a simulation and a failing test can be repeated. */
export interface Random {
  /** A number in [0, 1), 32 bits of it random. */
  next(): number;
}

/**
 * A small fast generator (sfc32 of Chris Doty-Humphrey's PractRand, seeded through splitmix32).
 * Equal seeds give equal sequences on every machine. Not for secrets.
 */
export function seededRandom(seed: number): Random {
  const split = splitmix32(seed);
  let a = split();
  let b = split();
  let c = split();
  let counter = 1;
  const next = (): number => {
    const out = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + out;
    c |= 0;
    return (out >>> 0) / 4_294_967_296;
  };
  for (let warmUp = 0; warmUp < 12; warmUp++) next();
  return { next };
}

/** A generator with a seed of the machine's own, for ids, jitter and tie-breaks in production. */
export function systemRandom(): Random {
  return seededRandom(Math.floor(Math.random() * 4_294_967_296));
}

/** An independent stream for `label`, so that adding a consumer does not shift everyone else's numbers. */
export function forkRandom(seed: number, label: string): Random {
  let hash = seed | 0;
  for (let index = 0; index < label.length; index++) {
    hash = Math.imul(hash ^ label.charCodeAt(index), 0x01000193);
  }
  return seededRandom(hash);
}

/** An integer in [0, below). */
export function integer(random: Random, below: number): number {
  return Math.floor(random.next() * below);
}

/** An exponentially distributed value with the given mean: the gap of a Poisson process. */
export function exponential(random: Random, mean: number): number {
  return -Math.log(1 - random.next()) * mean;
}

/** A standard normal value (Box–Muller). */
export function normal(random: Random): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random.next()));
  return radius * Math.cos(2 * Math.PI * random.next());
}

function splitmix32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = state ^ (state >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a2d97);
    return mixed ^ (mixed >>> 15);
  };
}
