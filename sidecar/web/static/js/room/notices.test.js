import assert from "node:assert/strict";
import { test } from "node:test";
import { GAP, LENGTH, Notices, REPEAT } from "./notices.js";

/** A clock that only moves when told. */
function bench() {
  let now = 0;
  /** @type {{at: number, callback: () => void}[]} */
  let timers = [];
  /** @type {[number, string, string][]} */
  const heard = [];
  const notices = new Notices({
    polite: (sentence) => heard.push([now, "polite", sentence]),
    urgent: (sentence) => heard.push([now, "urgent", sentence]),
    now: () => now,
    later: (callback, delay) => timers.push({ at: now + delay, callback }),
  });
  const pass = (/** @type {number} */ milliseconds) => {
    const end = now + milliseconds;
    for (;;) {
      const next = timers.filter(({ at }) => at <= end).sort((one, other) => one.at - other.at)[0];
      if (!next) break;
      timers = timers.filter((timer) => timer !== next);
      now = next.at;
      next.callback();
    }
    now = end;
  };
  return { notices, heard, pass };
}

test("the first sentence is said at once, the next one three seconds later", () => {
  const { notices, heard, pass } = bench();
  notices.say("Maja kom in.");
  notices.say("Samir kom in.");
  pass(GAP - 1);
  assert.equal(heard.length, 1);
  pass(1);
  assert.deepEqual(heard, [[0, "polite", "Maja kom in."], [GAP, "polite", "Samir kom in."]]);
});

test("an urgent sentence does not wait for its turn", () => {
  const { notices, heard } = bench();
  notices.say("Maja kom in.");
  notices.alarm("Elin har stängt av din mikrofon.");
  assert.deepEqual(heard.map(([, kind]) => kind), ["polite", "urgent"]);
});

test("the same sentence is not repeated while it is fresh, and is said again later", () => {
  const { notices, heard, pass } = bench();
  notices.say("Nätet är svagt.");
  notices.say("Nätet är svagt.");
  pass(REPEAT - 1);
  notices.say("Nätet är svagt.");
  pass(1);
  notices.say("Nätet är svagt.");
  assert.deepEqual(heard.map(([at]) => at), [0, REPEAT]);
});

test("when too much happens the oldest unsaid sentences are dropped", () => {
  const { notices, heard, pass } = bench();
  for (let n = 0; n <= LENGTH + 2; n += 1) notices.say(`s${n}`);
  pass(60_000);
  assert.deepEqual(heard.map(([, , sentence]) => sentence), ["s0", "s3", "s4", "s5", "s6"]);
});

test("silence is not announced", () => {
  const { notices, heard } = bench();
  notices.say("");
  notices.alarm("");
  assert.deepEqual(heard, []);
});

test("whoever asks twice is answered twice", () => {
  const { notices, heard, pass } = bench();
  notices.say("Här är det rådgivaren som delar.", { again: true });
  pass(GAP);
  notices.say("Här är det rådgivaren som delar.", { again: true });
  assert.equal(heard.length, 2);
});
