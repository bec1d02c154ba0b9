import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { VirtualClock } from "../../../../engines/virtual-clock.ts";
import type { Lane, Traveller } from "../../../../proxy/upstream/wire/lane.ts";
import { Lanes } from "../../../../proxy/upstream/wire/lanes.ts";
import type { WireRequest } from "../../../../proxy/upstream/wire/wire-request.ts";
import { until } from "../../../harness/fleet.ts";
import { CERTIFICATE, startTlsServer } from "../../../harness/tls-server.ts";

const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
const REQUEST: WireRequest = {
  method: "POST",
  path: "/v1/x",
  headers: ["content-length", "2"],
  body: Buffer.from("{}"),
};

/** Remembers what became of it. */
class Passenger implements Traveller {
  isOver = false;
  lane: Lane | null = null;
  isReused = false;
  isSent = false;
  status = 0;
  body = "";
  end: "arrived" | Error | null = null;

  boarded(lane: Lane, isReused: boolean): void {
    this.lane = lane;
    this.isReused = isReused;
  }
  sent(): void {
    this.isSent = true;
  }
  started({ status }: { readonly status: number }): void {
    this.status = status;
  }
  carried(bytes: Buffer): void {
    this.body += bytes.toString();
  }
  arrived(): void {
    this.end = "arrived";
  }
  failed(error: Error): void {
    this.end = error;
  }
  async ended(): Promise<this> {
    await until(() => this.end !== null, "the request is over");
    return this;
  }
}

const clock = new VirtualClock();
const sockets: Socket[] = [];
let heard = "";
let server: Server;
let lanes: Lanes;
let says: (socket: Socket, heard: string) => void = (socket) => socket.write(OK);

beforeEach(async () => {
  heard = "";
  sockets.length = 0;
  says = (socket) => socket.write(OK);
  server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    socket.on("data", (bytes) => {
      heard += bytes.toString("latin1");
      says(socket, bytes.toString("latin1"));
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  lanes = new Lanes(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, clock, {});
});
afterEach(async () => {
  await lanes.destroy();
  server.close();
});

async function carry(request = REQUEST): Promise<Passenger> {
  const passenger = new Passenger();
  lanes.carry(request, passenger);
  return passenger.ended();
}

describe("a lane", () => {
  test("carries one request after the other, and says which time it is", async () => {
    const first = await carry();
    const second = await carry();
    expect([first.isReused, second.isReused, sockets.length]).toEqual([false, true, 1]);
    expect(second).toMatchObject({ status: 200, body: "{}", isSent: true, end: "arrived" });
  });

  test("writes head and body as they are, with the host it leads to", async () => {
    await carry({ ...REQUEST, headers: ["X-Odd", "\xe9", "content-length", "2"] });
    const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    expect(heard).toBe(
      `POST /v1/x HTTP/1.1\r\nhost: ${host}\r\nconnection: keep-alive\r\nX-Odd: \xe9\r\ncontent-length: 2\r\n\r\n{}`,
    );
  });

  test.each([
    ["POST", "content-length: 0\r\n"],
    ["GET", ""],
  ])("says of a %s without a body what is expected", async (method, line) => {
    await carry({ method, path: "/", headers: [], body: null });
    expect(heard.endsWith(`connection: keep-alive\r\n${line}\r\n`)).toBe(true);
  });

  test("writes a body in pieces in order", async () => {
    const pieces = Array.from({ length: 40 }, (_, index) =>
      Buffer.alloc(50_000, 97 + (index % 26)),
    );
    let bytes = 0;
    says = (socket, text) => {
      bytes += text.length;
      if (heard.length >= 2_000_000) socket.write(OK);
    };
    const passenger = await carry({ ...REQUEST, headers: [], body: pieces });
    expect(passenger).toMatchObject({ end: "arrived", isSent: true });
    expect(bytes).toBe(heard.length);
    expect(heard.slice(heard.indexOf("\r\n\r\n") + 4)).toBe(Buffer.concat(pieces).toString());
  });

  test("never sends a header that would end its line early", async () => {
    const { end } = await carry({ ...REQUEST, headers: ["x-a", "1\r\nx-b: 2"] });
    expect(end).toMatchObject({ trouble: "unsendable" });
    expect(heard).toBe("");
  });

  test("answered before all was sent is not used again", async () => {
    says = (socket) => {
      socket.pause();
      socket.write(OK);
    };
    const pieces = Array.from({ length: 400 }, () => Buffer.alloc(65_536));
    const early = await carry({ ...REQUEST, headers: [], body: pieces });
    expect(early).toMatchObject({ end: "arrived", isSent: false });
    says = (socket) => socket.write(OK);
    expect((await carry()).isReused).toBe(false);
  });

  test("that says something unasked is closed", async () => {
    await carry();
    sockets[0]?.write(OK);
    await until(() => sockets[0]?.destroyed === true, "the connection is closed");
    expect(await carry()).toMatchObject({ isReused: false, end: "arrived" });
  });

  test("closed by the engine while idle is not used again", async () => {
    await carry();
    sockets[0]?.end();
    await until(() => sockets[0]?.destroyed === true, "the connection is closed");
    expect(await carry()).toMatchObject({ isReused: false, end: "arrived" });
  });

  test("whose traveller leaves is closed at once", async () => {
    says = () => {};
    const passenger = new Passenger();
    lanes.carry(REQUEST, passenger);
    await until(() => heard !== "", "the engine works on it");
    passenger.lane?.leave(passenger);
    await until(() => sockets[0]?.destroyed === true, "the engine hears of it");
    expect(passenger.end).toBeNull();
  });

  test("does not set out for a traveller that gave up, and is kept for the next", async () => {
    const gone = new Passenger();
    lanes.carry(REQUEST, gone);
    gone.isOver = true;
    await until(() => sockets.length === 1, "it is connected");
    await until(async () => (await carry()).end === "arrived", "another is carried");
    expect([gone.lane, gone.end]).toEqual([null, null]);
    expect(heard.split("POST").length).toBe(2);
  });

  test("an error of its traveller ends that request and no other", async () => {
    const broken = new Passenger();
    broken.carried = () => {
      throw new TypeError("a bug");
    };
    lanes.carry(REQUEST, broken);
    expect((await broken.ended()).end).toBeInstanceOf(TypeError);
    expect((await carry()).end).toBe("arrived");
  });

  test("says the socket's own error of a connection that is refused", async () => {
    server.close();
    const { end } = await carry();
    expect(end).toMatchObject({ code: "ECONNREFUSED" });
  });
});

test("a second connection over TLS goes on from the first one's handshake", async () => {
  const resumed: boolean[] = [];
  const engine = await startTlsServer((request, response) => {
    resumed.push((request.socket as TLSSocket).isSessionReused());
    response.writeHead(200, { connection: "close" }).end("{}");
  });
  const tls = new Lanes(engine.url, clock, { ca: CERTIFICATE });
  for (let turn = 0; turn < 2; turn++) {
    const passenger = new Passenger();
    tls.carry({ ...REQUEST, method: "GET", headers: [], body: null }, passenger);
    expect((await passenger.ended()).end).toBe("arrived");
  }
  await tls.destroy();
  await engine.close();
  expect(resumed).toEqual([false, true]);
});

describe("lanes", () => {
  test("of an engine that answers close are not kept", async () => {
    says = (socket) => socket.write(OK.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n"));
    await carry();
    expect((await carry()).isReused).toBe(false);
  });

  test("idle for three seconds are closed before an engine would", async () => {
    await carry();
    clock.advance(3_100);
    await until(() => sockets[0]?.destroyed === true, "it is closed");
    expect((await carry()).isReused).toBe(false);
  });

  test("are let go two seconds before the time an engine names", async () => {
    says = (socket) => socket.write(OK.replace("\r\n\r\n", "\r\nkeep-alive: timeout=3\r\n\r\n"));
    await carry();
    clock.advance(900);
    expect((await carry()).isReused).toBe(true);
    clock.advance(1_100);
    expect((await carry()).isReused).toBe(false);
  });

  test("the one used last is used next", async () => {
    await Promise.all([carry(), carry(), carry()]);
    expect(sockets.length).toBe(3);
    const [one, two] = [await carry(), await carry()];
    expect(one.lane).toBe(two.lane);
  });

  test("closed let what runs finish and keep nothing after it", async () => {
    says = () => {};
    const passenger = new Passenger();
    lanes.carry(REQUEST, passenger);
    await until(() => heard !== "", "the engine works on it");
    lanes.close();
    sockets[0]?.write(OK);
    expect((await passenger.ended()).end).toBe("arrived");
    await until(() => sockets[0]?.destroyed === true, "it is closed");
  });

  test("destroyed cut what runs and leave no connection", async () => {
    says = () => {};
    const passenger = new Passenger();
    lanes.carry(REQUEST, passenger);
    await until(() => heard !== "", "the engine works on it");
    await lanes.destroy();
    expect(passenger.end).toMatchObject({ trouble: "gone" });
    await until(() => sockets.every((socket) => socket.destroyed), "the engine hears of it");
  });
});
