import { describe, expect, it } from "vitest";
import { Roster } from "../../proxy/roster.ts";

describe("a roster", () => {
  it("lists its members oldest first, whoever left in between", () => {
    const roster = new Roster<string>();
    const [, leaveB, , leaveD] = ["a", "b", "c", "d"].map((name) => roster.add(name));
    leaveB?.();
    leaveD?.();
    roster.add("e");
    expect([...roster]).toEqual(["a", "c", "e"]);
    expect(roster.size).toBe(3);
  });

  it("lets the same member in twice and go once for each", () => {
    const roster = new Roster<string>();
    const leave = roster.add("a");
    roster.add("a");
    leave();
    expect([...roster]).toEqual(["a"]);
  });

  it("counts a departure once however often it is told", () => {
    const roster = new Roster<string>();
    const leave = roster.add("a");
    roster.add("b");
    leave();
    leave();
    expect([...roster]).toEqual(["b"]);
    expect(roster.size).toBe(1);
  });

  it("is empty before anyone came and after everyone left", () => {
    const roster = new Roster<string>();
    expect([...roster]).toEqual([]);
    for (const leave of ["a", "b", "c"].map((name) => roster.add(name))) leave();
    expect([...roster]).toEqual([]);
    expect(roster.size).toBe(0);
  });

  it("may be changed while it is gone through", () => {
    const roster = new Roster<() => void>();
    let seen = 0;
    for (let count = 0; count < 3; count++) {
      const leave = roster.add(() => {
        seen++;
        leave();
        roster.add(() => {});
      });
    }
    for (const member of roster) member();
    expect(seen).toBe(3);
    expect(roster.size).toBe(3);
  });
});
