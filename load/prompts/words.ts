import { integer, type Random } from "../../engines/random.ts";

/** Common English words of at most seven letters: one token each in today's vocabularies, with the space before them. */
const WORDS =
  "time year people way day man thing woman life child world school state family student group country problem hand part place case week company system program work night point home water room mother area money story fact month lot right study book eye job word issue side kind head house service friend father power hour game line end member law car city name team minute idea body back parent face others level office door health person art war history party result change morning reason girl guy moment air teacher force foot boy age policy process music market sense nation plan college death effect use class control field role effort rate heart drug show leader light voice wife whole police mind price report son view town road arm value action season society tax player record paper space ground form event matter center couple site project star table need court oil cost figure street image phone data picture piece land product doctor wall patient worker news test movie north love step".split(
    " ",
  );

/** A text of `count` words drawn by the generator: no two prompts share a beginning, so no cache answers for the engine. */
export function words(random: Random, count: number): string {
  const parts: string[] = [];
  for (let index = 0; index < count; index++)
    parts.push(WORDS[integer(random, WORDS.length)] ?? "time");
  return parts.join(" ");
}

/** The words that always stand for a block of a trace: equal ids give equal text, so shared beginnings are real. */
export function blockWords(blockId: number, count: number): string {
  const parts: string[] = [];
  for (let index = 0; index < count; index++) {
    const mixed = Math.imul(blockId ^ Math.imul(index + 1, 0x9e3779b1), 0x85ebca6b) >>> 7;
    parts.push(WORDS[mixed % WORDS.length] ?? "time");
  }
  return parts.join(" ");
}

/** Words of up to five letters: one token each, with the space, in every vocabulary met so far. Sizes are made from these. */
const SHORT_WORDS = WORDS.filter((word) => word.length <= 5);

/** Like {@link words}, of short words only: `count` words are as nearly `count` tokens as text can be. */
export function shortWords(random: Random, count: number): string {
  const parts: string[] = [];
  for (let index = 0; index < count; index++)
    parts.push(SHORT_WORDS[integer(random, SHORT_WORDS.length)] ?? "time");
  return parts.join(" ");
}
