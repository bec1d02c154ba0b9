import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { docsFiles } from "./docs-files.ts";

const root = join(import.meta.dirname, "../../..");
for (const [path, text] of Object.entries(docsFiles())) writeFileSync(join(root, path), text);
