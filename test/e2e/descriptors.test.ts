import { spawn, type ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { systemClock } from "../../engines/clock.ts";
import { until } from "../harness/fleet.ts";
import { codeOf } from "../harness/http-answer.ts";
import { chat } from "../harness/raw-pair.ts";
import { RawClient } from "../harness/raw-client.ts";
import { OK, RawUpstream } from "../harness/raw-upstream.ts";

const CLI = join(import.meta.dirname, "../../proxy/cli.ts");
/** What Node itself holds open is about twenty. */
const DESCRIPTORS = 64;
const CLIENTS = 120;
const children: ChildProcess[] = [];
afterAll(() => {
  for (const child of children) child.kill("SIGKILL");
});

/** Processor time a process has used, in clock ticks (proc(5), /proc/pid/stat fields 14 and 15). */
function ticksOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

test("F56 out of file descriptors it says so once, refuses, does not spin, blames no engine and recovers", async () => {
  const upstream = await RawUpstream.start();
  upstream.script = (socket) => socket.end(OK);
  const local = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--replica", upstream.url];
  const limited = `ulimit -n ${DESCRIPTORS}; exec "$@"`;
  const child = spawn("bash", ["-c", limited, "_", process.execPath, CLI, "serve", ...local], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  children.push(child);
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  const dataUrl = (): string => /(http:\S+)\/v1 /.exec(said)?.[1] ?? "";
  await until(() => dataUrl() !== "" || child.exitCode !== null, "it serves", 20_000);
  const ask = async (): Promise<RawClient | null> => {
    const client = await RawClient.connect(dataUrl()).catch(() => null);
    client?.write(chat());
    await client?.answers().catch(() => []);
    return client;
  };
  await until(async () => (await ask())?.heard()[0]?.status === 200, "it answers", 20_000);

  const clients: (RawClient | null)[] = [];
  for (let count = 0; count < CLIENTS; count++)
    clients.push(await RawClient.connect(dataUrl()).catch(() => null));
  await until(
    () => clients.some((client) => client === null || client.isClosed),
    "some are refused",
  );
  const startedTicks = ticksOf(child.pid!);
  const startedMs = systemClock.nowMs();
  const open = clients.filter((client) => client !== null && !client.isClosed) as RawClient[];
  for (const client of open) client.write(chat());
  await Promise.all(open.map((client) => client.answers()));
  const codes = new Set(open.map((client) => codeOf(client.heard()[0]) ?? "answered"));
  expect(codes).toEqual(new Set(["answered", "overloaded"]));
  await until(() => systemClock.nowMs() - startedMs > 1_000, "a second has passed");
  const busyShare = ((ticksOf(child.pid!) - startedTicks) * 10) / (systemClock.nowMs() - startedMs);
  expect(busyShare).toBeLessThan(0.8);

  for (const client of clients) client?.destroy();
  await until(async () => (await ask())?.heard()[0]?.status === 200, "it answers again", 20_000);
  expect(child.exitCode).toBeNull();
  expect(said.match(/file descriptors/g)).toHaveLength(1);
  await upstream.stop();
});
