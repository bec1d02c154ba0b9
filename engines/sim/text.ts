/**
 * Words the simulated engines speak, one token each. Some are outside ASCII, because a stream cut inside a
 * character is an everyday event.
 */
const WORDS =
  "the air stream in front of an engine tells how fast it flies and a small tube facing forward measures pressure without slowing anything down so every answer carries its own timing through one meter from first token to last while batches grow queues form caches warm replicas come go nobody waits longer than needed naïve façade Zürich 東京 déjà 速い – € señal größer übrig".split(
    " ",
  );

/** Token `index` of the answer with this key: equal keys give equal answers, whoever asks and however often. */
export function wordOf(key: number, index: number): string {
  const mixed = Math.imul(key ^ Math.imul(index + 1, 0x9e3779b1), 0x85ebca6b);
  const word = WORDS[(mixed >>> 8) % WORDS.length] ?? "";
  return index === 0 ? word : ` ${word}`;
}

const PIECE = /\s*[^\s]{1,7}|\s+/gu;

/**
 * Token ids of a text under the simulator's own tokenizer: pieces of up to seven characters with the space before
 * them, which gives English prose about 1.3 tokens a word, as real vocabularies do.
 */
export function tokenize(text: string): number[] {
  return (text.match(PIECE) ?? []).map(hashText);
}

/** 31-bit hash of a text. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++)
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash >>> 1;
}
