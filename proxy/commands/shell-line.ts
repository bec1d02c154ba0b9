const PLAIN = /^[\w@%+=:,./-]+$/;

/** Words as one line for a POSIX shell: what is not plain is quoted. */
export function shellLine(words: readonly string[]): string {
  return words
    .map((word) => (PLAIN.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`))
    .join(" ");
}
