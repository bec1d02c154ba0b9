/** The blocks one sequence holds. */
export interface Allocation {
  /** Prompt tokens found in the cache: whole blocks, never the whole prompt. */
  readonly cachedTokens: number;
  /** Blocks shared with others through their hash. */
  readonly hashes: readonly number[];
  /** Blocks of its own. */
  ownBlocks: number;
  /** All its blocks. */
  blocks: number;
}

interface CachedBlock {
  users: number;
}

/**
 * Paged KV cache with prefix reuse: blocks are found again by the hash of everything up to their end.
 * Blocks nobody uses stay until their room is needed, the least recently used going first
 * (vLLM: vllm/v1/core/block_pool.py; SGLang's radix cache behaves alike at block size one).
 */
export class KvCache {
  readonly blockTokens: number;
  readonly blocks: number;
  queryTokens = 0;
  hitTokens = 0;
  #free: number;
  readonly #cached = new Map<number, CachedBlock>();
  /** Hashes of unused cached blocks, least recently used first. */
  readonly #idle = new Set<number>();

  constructor(capacityTokens: number, blockTokens: number) {
    this.blockTokens = blockTokens;
    this.blocks = Math.max(1, Math.floor(capacityTokens / blockTokens));
    this.#free = this.blocks;
  }

  /** Share of blocks in use, 0 … 1. Idle cached blocks count as free: they can be had at once. */
  get usage(): number {
    return 1 - this.available / this.blocks;
  }

  /** Blocks that can be had at once. */
  get available(): number {
    return this.#free + this.#idle.size;
  }

  /**
   * Takes blocks for `tokens` tokens of a prompt whose full blocks hash to `hashes`.
   * `null` when they are not to be had; then nothing was taken.
   */
  allocate(hashes: readonly number[], tokens: number): Allocation | null {
    // The last prompt token is always computed: its logits give the first output token.
    const matchable = Math.min(hashes.length, Math.floor((tokens - 1) / this.blockTokens));
    let matched = 0;
    let idleMatched = 0;
    for (; matched < matchable; matched++) {
      const block = this.#cached.get(hashes[matched] ?? 0);
      if (block === undefined) break;
      if (block.users === 0) idleMatched++;
    }
    const wanted = Math.ceil(tokens / this.blockTokens) - matched;
    if (wanted > this.available - idleMatched) return null;
    this.queryTokens += tokens;
    this.hitTokens += matched * this.blockTokens;
    const held = hashes.slice(0, matched);
    for (const hash of held) this.#share(hash);
    let ownBlocks = wanted;
    this.#take(wanted);
    for (let index = matched; index < hashes.length; index++) {
      const hash = hashes[index] ?? 0;
      if (this.#cached.has(hash)) continue;
      this.#cached.set(hash, { users: 1 });
      held.push(hash);
      ownBlocks--;
    }
    const cachedTokens = matched * this.blockTokens;
    return { cachedTokens, hashes: held, ownBlocks, blocks: wanted + matched };
  }

  /** One more block for a sequence that outgrew its last; false when there is none. */
  extend(allocation: Allocation): boolean {
    if (this.available === 0) return false;
    this.#take(1);
    allocation.ownBlocks++;
    allocation.blocks++;
    return true;
  }

  release(allocation: Allocation): void {
    this.#free += allocation.ownBlocks;
    allocation.ownBlocks = 0;
    allocation.blocks = 0;
    // Last blocks first, so that the shared beginnings of prompts stay longest.
    for (const hash of allocation.hashes.toReversed()) {
      const block = this.#cached.get(hash);
      if (block !== undefined && --block.users === 0) this.#idle.add(hash);
    }
  }

  /** Forgets every unused cached block. */
  clearIdle(): void {
    for (const hash of this.#idle) this.#cached.delete(hash);
    this.#free += this.#idle.size;
    this.#idle.clear();
  }

  #share(hash: number): void {
    const block = this.#cached.get(hash);
    if (block === undefined) return;
    if (block.users++ === 0) this.#idle.delete(hash);
  }

  #take(count: number): void {
    const fromFree = Math.min(count, this.#free);
    this.#free -= fromFree;
    let missing = count - fromFree;
    for (const hash of this.#idle) {
      if (missing === 0) break;
      this.#idle.delete(hash);
      this.#cached.delete(hash);
      missing--;
    }
  }
}

/** Hashes of the full blocks of a prompt, each chained to all before it. 53-bit, so that they are plain numbers. */
export function blockHashes(ids: ArrayLike<number>, blockTokens: number): number[] {
  const hashes: number[] = [];
  let low = 0x811c9dc5;
  let high = 0x01234567;
  const full = ids.length - (ids.length % blockTokens);
  for (let index = 0; index < full; index++) {
    const id = ids[index] ?? 0;
    low = Math.imul(low ^ id, 0x01000193);
    high = Math.imul(high ^ (id + 0x9e3779b9), 0x85ebca6b) ^ (low >>> 13);
    if ((index + 1) % blockTokens === 0) hashes.push((high >>> 11) * 4_294_967_296 + (low >>> 0));
  }
  return hashes;
}
