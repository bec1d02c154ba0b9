import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Bytes that buffers hold after a full collection. The heap's own are left out: compiled code comes and goes in them. */
export function bufferBytes(): number {
  return collected().arrayBuffers;
}

/** Bytes of the heap and of buffers after a full collection. */
export function heldBytes(): number {
  const { heapUsed, arrayBuffers } = collected();
  return heapUsed + arrayBuffers;
}

function collected(): NodeJS.MemoryUsage {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  collect();
  collect();
  return process.memoryUsage();
}
