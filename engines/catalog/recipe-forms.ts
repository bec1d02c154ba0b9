import { CONFIG_DIR, type Recipe } from "./recipe.ts";
import { firstCards } from "./recipe-order.ts";

/** Where files of the machine lie that a container is given. */
export interface HostFolders {
  /** Weights once downloaded, kept for the next start. */
  readonly cache: string;
  /** Holds the recipe's file, where there is one. */
  readonly config: string;
}

/** Shared memory between the processes of one engine: what `docker run` gives is 64 MB, and NCCL wants gigabytes. */
export const SHARED_MEMORY = "16g";

/** The command as it is typed on the machine itself, its file written first. */
export function processForm(recipe: Recipe): string {
  const env = Object.entries(recipe.env).map(([name, value]) => `${name}=${quote(value)} `);
  return `${fileForm(recipe)}${env.join("")}${lines(recipe.command)}\n`;
}

/** The same in a container. */
export function dockerForm(recipe: Recipe): string {
  const folder = recipe.cacheDir.slice(recipe.cacheDir.indexOf("/.cache/"));
  const words = dockerRun(recipe, {
    name: `pitot-${recipe.engine}`,
    host: { cache: `~${folder}`, config: "$PWD" },
  });
  return `${fileForm(recipe)}${lines(words)}\n`;
}

/** `docker run` as a list of arguments, the program first. */
export function dockerRun(
  recipe: Recipe,
  { name, host }: { readonly name: string; readonly host: HostFolders },
): readonly string[] {
  const { port, image, entry, containerArgs, containerEnv, tp, file, cacheDir, engine } = recipe;
  return [
    "docker",
    "run",
    "--rm",
    "--name",
    name,
    "--gpus",
    `"device=${firstCards(tp)}"`,
    "--shm-size",
    SHARED_MEMORY,
    // Pinned memory and deep stacks, as NVIDIA's quick start gives them.
    ...(engine === "tensorrt-llm" ? ["--ulimit", "memlock=-1", "--ulimit", "stack=67108864"] : []),
    "-p",
    `${port}:${port}`,
    "-v",
    `${host.cache}:${cacheDir}`,
    ...(file === null ? [] : ["-v", `${host.config}/${file.name}:${CONFIG_DIR}/${file.name}:ro`]),
    // Taken from the caller's environment: a token never stands in a command line.
    "-e",
    "HF_TOKEN",
    ...Object.entries(containerEnv).flatMap(([name, value]) => ["-e", `${name}=${value}`]),
    image,
    ...entry,
    ...containerArgs,
  ];
}

function fileForm({ file }: Recipe): string {
  return file === null ? "" : `cat > ${file.name} <<'YAML'\n${file.content}YAML\n`;
}

/** One flag with its value to a line. */
function lines(words: readonly string[]): string {
  const rows: string[] = [];
  for (const [index, word] of words.entries()) {
    const follows = isFlag(words[index - 1]) && !isFlag(word);
    const startsRow = rows.length === 0 || (rows.length > 1 ? !follows : isFlag(word));
    if (startsRow && word !== "-m" && words[index - 1] !== "-m") rows.push(quote(word));
    else rows[rows.length - 1] += ` ${quote(word)}`;
  }
  return rows.join(" \\\n  ");
}

function isFlag(word: string | undefined): boolean {
  return word?.startsWith("-") === true;
}

/** Quotes for a POSIX shell, leaving alone what needs none; `~` and `$PWD` are meant for it. */
function quote(word: string): string {
  if (/^[\w@%+=:,./~-]+$/.test(word)) return word;
  if (word.startsWith("$PWD")) return `"${word}"`;
  return `'${word.replaceAll("'", "'\\''")}'`;
}
