/**
 * Words the simulated engines speak, one token each. Some are outside ASCII, because a stream cut inside a
 * character is an everyday event.
 */
const WORDS =
  "the air stream in front of an engine tells how fast it flies and a small tube facing forward measures pressure without slowing anything down so every answer carries its own timing through one meter from first token to last while batches grow queues form caches warm replicas come go nobody waits longer than needed naïve façade Zürich 東京 déjà 速い – € señal größer übrig".split(
    " ",
  );

/** Characters that take two tokens: the first gives no text yet, as byte-level vocabularies do. */
const SPLIT = ["🛩", "𝛥", "🌬", "🧭"];
/** One token in so many begins such a character. */
const SPLIT_EVERY = 128;

/** What one token adds to the text; empty for the first half of a character. */
export function wordOf(key: number, index: number): string {
  if (index > 0) {
    const splitBefore = index > 1 && splits(key, index - 1);
    if (splitBefore && !splits(key, index - 2)) return ` ${SPLIT[mix(key, index) & 3] ?? ""}`;
    if (!splitBefore && splits(key, index)) return "";
  }
  const word = WORDS[(mix(key, index) >>> 8) % WORDS.length] ?? "";
  return index === 0 ? word : ` ${word}`;
}

/** The first and the one before it never split: a short answer says something. */
function splits(key: number, index: number): boolean {
  return index > 1 && (mix(key, index) >>> 4) % SPLIT_EVERY === 0;
}

function mix(key: number, index: number): number {
  return Math.imul(key ^ Math.imul(index + 1, 0x9e3779b1), 0x85ebca6b) >>> 0;
}

const PIECE = /\s*[^\s]{1,7}|\s+/gu;

/** The pieces {@link tokenize} makes ids of; joined they are the text again. */
export function piecesOf(text: string): readonly string[] {
  return text.match(PIECE) ?? [];
}

/**
 * Token ids of a text under the simulator's own tokenizer: pieces of up to seven characters with the space before
 * them, which gives English prose about 1.3 tokens a word, as real vocabularies do.
 */
export function tokenize(text: string): number[] {
  return piecesOf(text).map(hashText);
}

/** 31-bit hash of a text. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++)
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash >>> 1;
}

/** Pieces of clients' texts remembered for `/detokenize`; older ones read as words of the simulator's own. */
const PIECES_MAX = 65_536;

/**
 * Ids back to text. A real vocabulary is finite and known; this one is open, so it knows its own words and the
 * pieces it was lately asked to tokenize. Any other id reads as one word, which tokenizes to one token again.
 */
export class Vocabulary {
  readonly #pieces = new Map<number, string>();

  constructor() {
    for (const word of WORDS) {
      this.#pieces.set(hashText(word), word);
      this.#pieces.set(hashText(` ${word}`), ` ${word}`);
    }
  }

  /** Ids of a text, remembered so that {@link detokenize} gives the text back. */
  tokenize(text: string): { readonly ids: number[]; readonly pieces: readonly string[] } {
    const pieces = piecesOf(text);
    const ids = pieces.map((piece) => {
      const id = hashText(piece);
      this.#pieces.set(id, piece);
      return id;
    });
    for (const id of this.#pieces.keys()) {
      if (this.#pieces.size <= PIECES_MAX) break;
      this.#pieces.delete(id);
    }
    return { ids, pieces };
  }

  detokenize(ids: readonly number[]): string {
    return ids.map((id) => this.pieceOf(id)).join("");
  }

  pieceOf(id: number): string {
    return this.#pieces.get(id) ?? ` ${WORDS[id % 40] ?? "the"}`;
  }
}
