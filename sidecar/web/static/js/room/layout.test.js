import assert from "node:assert/strict";
import { test } from "node:test";
import { arrange, CORNERS, fit, moved, nearest, row } from "./layout.js";

const scene = (/** @type {string[]} */ others, more = {}) =>
  arrange({ me: "me", others, large: null, pinned: null, share: null, hideSelf: false, wide: true, rail: false, panel: false, ...more });
const spots = (/** @type {ReturnType<typeof arrange>} */ arrangement) => Object.fromEntries(arrangement.spots);

test("alone, the own picture is small so that the lobby's words have room", () => {
  assert.deepEqual([scene([]).shape, spots(scene([]))], ["alone", { me: "self" }]);
});

test("of two, the other fills the stage and the own picture lies in a corner", () => {
  assert.deepEqual([scene(["a"]).shape, spots(scene(["a"]))], ["pair", { a: "large", me: "self" }]);
});

test("of three, one is large, with two beside it when wide and below it when a panel is open or the screen is tall", () => {
  assert.deepEqual(spots(scene(["a", "b"], { large: "b" })), { b: "large", a: "cell1", me: "cell2" });
  assert.equal(scene(["a", "b"]).flow, "beside");
  assert.equal(scene(["a", "b"], { panel: true }).flow, "below");
  assert.equal(scene(["a", "b"], { wide: false }).flow, "below");
  assert.equal(scene(["a", "b"], { wide: false, rail: true }).flow, "beside");
});

test("of four, everybody is the same size, two by two, until one is pinned", () => {
  assert.equal(scene(["a", "b", "c"], { large: "c" }).shape, "four");
  assert.deepEqual(spots(scene(["a", "b", "c"])), { a: "cell1", b: "cell2", c: "cell3", me: "cell4" });
  assert.equal(scene(["a", "b", "c"], { pinned: "c" }).shape, "many");
  assert.equal(spots(scene(["a", "b", "c"], { pinned: "c" })).c, "large");
});

test("of more, the speaker is large over a row of three and the rest are named behind one cell", () => {
  const six = scene(["a", "b", "c", "d", "e"], { large: "d" });
  assert.equal(six.shape, "many");
  assert.deepEqual(spots(six), { d: "large", a: "cell1", b: "cell2", c: "cell3" });
  assert.deepEqual(six.more, ["e", "me"]);
});

test("one person is never hidden behind a +1, since the person fits in the same cell", () => {
  assert.deepEqual(scene(["a", "b", "c", "d"]).more, []);
  assert.deepEqual(row(["a", "b", "c", "d", "e"], 4), { cells: [["a", "cell1"], ["b", "cell2"], ["c", "cell3"]], more: ["d", "e"] });
});

test("nobody is lost: every person has a spot or is named behind the last cell", () => {
  for (const wide of [true, false]) for (const panel of [true, false]) for (const share of [null, "p0"]) for (let n = 0; n < 8; n += 1) {
    const others = Array.from({ length: n }, (_, index) => `p${index}`);
    const { spots: placed, more } = scene(others, { wide, panel, share });
    assert.deepEqual([...placed.keys(), ...more].sort(), [...others, "me"].sort(), `${n} others, wide ${wide}, panel ${panel}`);
    assert.equal(new Set(placed.values()).size, placed.size, "two people in one spot");
  }
});

test("a pinned person wins over whoever speaks, and somebody who has left is not large", () => {
  assert.equal(spots(scene(["a", "b"], { pinned: "a", large: "b" })).a, "large");
  assert.equal(spots(scene(["a", "b"], { pinned: "gone", large: "b" })).b, "large");
  assert.equal(spots(scene(["a", "b"], { pinned: "gone", large: "gone" })).a, "large");
});

test("my own speech never makes my own picture large", () => {
  assert.equal(spots(scene(["a", "b"], { large: "me" })).a, "large");
});

test("a shared window takes the stage and the people become small", () => {
  const shared = scene(["a", "b"], { share: "a" });
  assert.deepEqual([shared.shape, shared.screen, spots(shared)], ["share", true, { a: "cell1", b: "cell2", me: "cell3" }]);
});

test("a share by somebody who is not in the room any longer shows nothing", () => {
  assert.equal(scene(["a", "b"], { share: "gone" }).screen, false);
});

test("on a narrow screen a panel turns people into one row", () => {
  const narrow = scene(["a", "b"], { wide: false, panel: true });
  assert.deepEqual([narrow.shape, spots(narrow)], ["strip", { a: "cell1", b: "cell2", me: "cell3" }]);
  assert.equal(scene([], { wide: false, panel: true }).shape, "strip");
});

test("the own picture can be put away without anybody else losing theirs", () => {
  assert.deepEqual(spots(scene(["a"], { hideSelf: true })), { a: "large" });
  assert.deepEqual([scene(["a", "b"], { hideSelf: true }).shape, spots(scene(["a", "b"], { hideSelf: true }))], ["halves", { a: "cell1", b: "cell2" }]);
  assert.deepEqual(spots(scene([], { hideSelf: true })), { me: "self" });
});

test("arrow keys move the own picture to every corner and other keys do not", () => {
  assert.equal(moved("bottom-right", "ArrowUp"), "top-right");
  assert.equal(moved("bottom-right", "ArrowLeft"), "bottom-left");
  assert.equal(moved("top-left", "ArrowRight"), "top-right");
  assert.equal(moved("top-left", "ArrowDown"), "bottom-left");
  assert.equal(moved("top-left", "Enter"), "top-left");
});

test("a dragged picture lands in the corner it was dropped nearest to", () => {
  const box = { left: 100, top: 50, width: 800, height: 400 };
  const points = [{ x: 890, y: 440 }, { x: 110, y: 440 }, { x: 110, y: 60 }, { x: 890, y: 60 }];
  assert.deepEqual(points.map((point) => nearest(point, box)), [...CORNERS]);
});

test("a picture fills its tile unless that would cut away the face", () => {
  const [desk, phone] = [{ width: 1280, height: 720 }, { width: 720, height: 1280 }];
  assert.equal(fit(desk, { width: 800, height: 440 }), "cover");
  assert.equal(fit(desk, { width: 374, height: 600 }), "cover");
  assert.equal(fit(desk, { width: 100, height: 600 }), "contain");
  assert.equal(fit(phone, { width: 1256, height: 640 }), "contain");
  assert.equal(fit(phone, { width: 374, height: 600 }), "cover");
  assert.equal(fit({ width: 0, height: 0 }, { width: 374, height: 600 }), "cover");
});
