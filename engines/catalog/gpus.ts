/** What a GPU can do, from its maker's data sheet. Dense rates, no sparsity. */
export interface Gpu {
  readonly name: string;
  /** Shown to people. */
  readonly title: string;
  /** Memory bandwidth, bytes per second. */
  readonly bandwidth: number;
  readonly flopsBf16: number;
  /** Equal to bf16 where the card has no fp8 units. */
  readonly flopsFp8: number;
  /** Bytes a process sees, not the label's. */
  readonly memoryBytes: number;
  /** Link to its peers relative to an H100 SXM's NVLink: all-reduce time scales with its inverse. */
  readonly linkScale: number;
}

const TERA = 1e12;
const GB = 1e9;

/** Sources: NVIDIA data sheets (H100, H200, B200, A100, L40S, L4) and the Ada white paper (RTX 4090). */
export const gpus = {
  h100: gpu("h100", "H100 SXM 80 GB", [3.35, 989, 1979, 85.52, 1]),
  "h100-pcie": gpu("h100-pcie", "H100 PCIe 80 GB", [2.0, 756, 1513, 85.52, 0.13]),
  "h100-nvl": gpu("h100-nvl", "H100 NVL 94 GB", [3.9, 835, 1671, 100.1, 0.66]),
  h200: gpu("h200", "H200 SXM 141 GB", [4.8, 989, 1979, 150.7, 1]),
  b200: gpu("b200", "B200 180 GB", [8.0, 2250, 4500, 192.2, 2]),
  a100: gpu("a100", "A100 SXM 80 GB", [2.04, 312, 312, 85.1, 0.66]),
  l40s: gpu("l40s", "L40S 48 GB", [0.864, 362, 733, 47.8, 0.07]),
  l4: gpu("l4", "L4 24 GB", [0.3, 121, 242, 23.6, 0.07]),
  "rtx-4090": gpu("rtx-4090", "GeForce RTX 4090 24 GB", [1.008, 165, 330, 25.2, 0.07]),
} satisfies Record<string, Gpu>;

export type GpuName = keyof typeof gpus;

/** Finds a GPU by name; `null` when the catalogue has none of that name. */
export function findGpu(name: string): Gpu | null {
  return Object.values(gpus).find((known) => known.name === name.toLowerCase()) ?? null;
}

function gpu(
  name: string,
  title: string,
  figures: readonly [number, number, number, number, number],
): Gpu {
  const [terabytes, bf16, fp8, memory, linkScale] = figures;
  return {
    name,
    title,
    bandwidth: terabytes * TERA,
    flopsBf16: bf16 * TERA,
    flopsFp8: fp8 * TERA,
    memoryBytes: memory * GB,
    linkScale,
  };
}
