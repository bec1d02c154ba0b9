import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";

const root = join(import.meta.dirname, "..");
const files = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
  cwd: root,
  encoding: "utf8",
})
  .split("\n")
  .filter((file) => file !== "" && existsSync(join(root, file)));
const source = files.filter((file) => /\.(ts|mjs|css)$/.test(file));
const read = (file: string): string => readFileSync(join(root, file), "utf8");

describe("the tree", () => {
  test("holds no source file over 300 lines", () => {
    expect(source.filter((file) => read(file).split("\n").length > 301)).toEqual([]);
  });

  test("names every source file in kebab-case", () => {
    const odd = source.filter((file) => !/^[a-z0-9.-]+$/.test(file.split("/").at(-1) ?? ""));
    expect(odd).toEqual([]);
  });

  test("has no drawer for leftovers", () => {
    expect(source.filter((file) => /\/(utils?|helpers?|misc|common)\.ts$/.test(file))).toEqual([]);
  });

  test("leaves nothing for later in the code", () => {
    const marks = /\b(TODO|FIXME|XXX)\b/;
    const late = source.filter((file) => file !== "test/tidy.test.ts" && marks.test(read(file)));
    expect(late).toEqual([]);
  });

  test("has no focused or skipped test", () => {
    const held = source.filter(
      (file) =>
        file !== "test/tidy.test.ts" && /\b(test|it|describe)\.(only|skip|todo)\(/.test(read(file)),
    );
    expect(held).toEqual([]);
  });

  test("holds no tracked file over 2 MiB", () => {
    expect(files.filter((file) => readFileSync(join(root, file)).length > 2 * 1_048_576)).toEqual(
      [],
    );
  });
});

describe("the READMEs", () => {
  const readmes = files.filter((file) => file.endsWith("README.md"));

  test.each(["engines", "load", "proxy", "dashboard", "test"])("%s/ has one", (folder) => {
    expect(readmes).toContain(`${folder}/README.md`);
  });

  test("of folders stay within 60 lines", () => {
    const long = readmes.filter((file) => file.includes("/") && read(file).split("\n").length > 61);
    expect(long).toEqual([]);
  });

  test("link only to files that exist", () => {
    const broken = files
      .filter((file) => file.endsWith(".md"))
      .flatMap((file) =>
        [...read(file).matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)]
          .map(([, target]) => target ?? "")
          .filter((target) => !existsSync(join(root, dirname(file), target)))
          .map((target) => `${file} → ${target}`),
      );
    expect(broken).toEqual([]);
  });

  test("name only source files that exist", () => {
    const missing = readmes.flatMap((file) =>
      [...read(file).matchAll(/`([\w./-]+\.ts)`/g)]
        .map(([, name]) => name ?? "")
        .filter((name) => !name.includes("<") && !name.startsWith("my-"))
        .filter((name) => !files.some((known) => known === name || known.endsWith(`/${name}`)))
        .map((name) => `${file} → ${name}`),
    );
    expect(missing).toEqual([]);
  });
});
