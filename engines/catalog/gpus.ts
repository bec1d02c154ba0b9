import rows from "./data/gpus.json" with { type: "json" };
import { eitherOf, nearest, squeeze } from "./nearest.ts";

/** What a GPU can do, from its maker's data sheet. Dense rates, no sparsity. */
export interface Gpu {
  readonly name: string;
  /** Shown to people. */
  readonly title: string;
  /** As `nvidia-smi` and engines print it; with dashes for blanks, the Kubernetes node label `nvidia.com/gpu.product`. */
  readonly product: string;
  /** Memory bandwidth, bytes per second. */
  readonly bandwidth: number;
  readonly flopsBf16: number;
  /** Equal to bf16 where the card has no fp8 units. */
  readonly flopsFp8: number;
  /** Bytes a process sees, not the label's. */
  readonly memoryBytes: number;
  /** What joins it to its peers, and how much it carries both ways together, bytes per second. */
  readonly link: "nvlink" | "nvlink-bridge" | "pcie";
  readonly linkBandwidth: number;
  /** The link relative to an H100 SXM's NVLink: all-reduce time scales with its inverse. */
  readonly linkScale: number;
  /** Cards of this kind in one machine at most, as sold. */
  readonly perMachine: number;
}

export type GpuName = keyof typeof rows;

/** What one sentence can say of a name the catalogue has not. */
export function unknownGpu(name: string): string {
  return `GPU "${name}" is not in the catalogue: did you mean ${eitherOf(nearest(name, Object.keys(gpus)))}?`;
}

const TERA = 1e12;
const GIGA = 1e9;

/** Sources of every figure stand in this folder's README. */
export const gpus: Readonly<Record<GpuName, Gpu>> = Object.fromEntries(
  Object.entries(rows).map(([name, row]) => [
    name,
    {
      name,
      title: row.title,
      product: row.product,
      bandwidth: row.terabytesPerSecond * TERA,
      flopsBf16: row.bf16Teraflops * TERA,
      flopsFp8: row.fp8Teraflops * TERA,
      memoryBytes: row.memoryGb * GIGA,
      link: row.link as Gpu["link"],
      linkBandwidth: row.linkGbPerSecond * GIGA,
      linkScale: row.linkScale,
      perMachine: row.perMachine,
    },
  ]),
) as Record<GpuName, Gpu>;

/** What people call a card, squeezed; each leads to one row. */
const ALIASES: Readonly<Record<string, GpuName>> = {
  h100sxm: "h100",
  h100sxm5: "h100",
  h10080gb: "h100",
  h200sxm: "h200",
  a100sxm: "a100",
  a10080gb: "a100",
  a100sxm480gb: "a100",
  a10040: "a100-40gb",
  a100sxm440gb: "a100-40gb",
  rtx4090: "rtx-4090",
  "4090": "rtx-4090",
  geforcertx4090: "rtx-4090",
};

/** Whether the card multiplies fp8 faster than bf16. */
export function hasFp8(gpu: Gpu): boolean {
  return gpu.flopsFp8 > gpu.flopsBf16;
}

/**
 * Finds a GPU by its name here, by what people call it ("H100 SXM", "4090") or by what `nvidia-smi` prints
 * ("NVIDIA H100 80GB HBM3"); `null` when the catalogue has none of that name.
 */
export function findGpu(name: string): Gpu | null {
  const wanted = squeeze(name).replace(/^nvidia/, "");
  const alias = ALIASES[wanted];
  if (alias !== undefined) return gpus[alias];
  const found = Object.values(gpus).find(
    (gpu) => squeeze(gpu.name) === wanted || squeeze(gpu.product).replace(/^nvidia/, "") === wanted,
  );
  return found ?? null;
}
