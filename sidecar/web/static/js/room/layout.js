// @ts-check
// Where each person sits on the stage. Pure: names of places in, names of places out; room.css draws them.

/** How many small pictures a row or column holds before the rest become one "+2" cell. */
const ROW = 4;

/**
 * @typedef {object} Scene
 * @property {string} me
 * @property {string[]} others people in the room besides me, in the order they are read
 * @property {string | null} large who is large now (see speaker.js)
 * @property {string | null} pinned who this person asked to see large
 * @property {string | null} share who shares a window that we are shown; never me, so no hall of mirrors
 * @property {boolean} hideSelf my own picture is put away
 * @property {boolean} wide at least 60rem wide: a panel stands beside the stage
 * @property {boolean} rail low and broad: a phone on its side, a laptop at 200 %
 * @property {boolean} panel a panel is open
 */

/**
 * @typedef {object} Arrangement
 * @property {"alone" | "single" | "pair" | "halves" | "three" | "four" | "many" | "share" | "strip"} shape
 * @property {"beside" | "below"} flow whether the small pictures stand beside the large one or below it
 * @property {Map<string, string>} spots participant -> "large" | "self" | "cell1".."cell4"
 * @property {string[]} more those behind the "+2" cell, whose names that cell says
 * @property {boolean} screen the shared window is shown
 */

/**
 * Put a row of people in numbered cells; one too many becomes "+n", which never hides a single person,
 * since that person fits in the same cell.
 * @param {string[]} people
 * @param {number} room
 */
export function row(people, room) {
  const shown = people.length <= room ? people : people.slice(0, room - 1);
  /** @type {[string, string][]} */
  const cells = shown.map((id, index) => [id, `cell${index + 1}`]);
  return { cells, more: people.slice(shown.length) };
}

/**
 * @param {Scene} scene
 * @returns {Arrangement}
 */
export function arrange({ me, others, large, pinned, share, hideSelf, wide, rail, panel }) {
  const squeezed = panel && !wide;
  /** @type {"beside" | "below"} */
  const flow = rail || (wide && !panel) ? "beside" : "below";
  if (others.length === 0) {
    return { shape: squeezed ? "strip" : "alone", flow, spots: new Map([[me, squeezed ? "cell1" : "self"]]), more: [], screen: false };
  }

  const everyone = hideSelf ? others : [...others, me];
  const first = [pinned, large].find((id) => id && id !== me && others.includes(id)) ?? others[0];
  const rest = everyone.filter((id) => id !== first);
  const screen = share !== null && others.includes(share);

  if (squeezed) {
    const { cells, more } = row([first, ...rest], screen ? ROW - 1 : ROW);
    return { shape: "strip", flow, spots: new Map(cells), more, screen };
  }
  if (screen) {
    const { cells, more } = row([first, ...rest], ROW);
    return { shape: "share", flow, spots: new Map(cells), more, screen };
  }
  if (everyone.length === 1) return { shape: "single", flow, spots: new Map([[first, "large"]]), more: [], screen };
  if (others.length === 1) return { shape: "pair", flow, spots: new Map([[first, "large"], [me, "self"]]), more: [], screen };
  if (everyone.length === 2) {
    return { shape: "halves", flow, spots: new Map(row(everyone, ROW).cells), more: [], screen };
  }
  if (everyone.length === 4 && !(pinned && pinned === first)) {
    return { shape: "four", flow, spots: new Map(row(everyone, ROW).cells), more: [], screen };
  }
  const { cells, more } = row(rest, ROW);
  return { shape: everyone.length === 3 ? "three" : "many", flow, spots: new Map([[first, "large"], ...cells]), more, screen };
}

/** The four corners of the stage that the own picture can lie in, in the order a press walks through them. */
export const CORNERS = /** @type {const} */ (["bottom-right", "bottom-left", "top-left", "top-right"]);

/**
 * @typedef {(typeof CORNERS)[number]} Corner
 */

/**
 * Where the own picture goes when an arrow key is pressed; any other key leaves it.
 * @param {Corner} corner
 * @param {string} key KeyboardEvent.key
 * @returns {Corner}
 */
export function moved(corner, key) {
  let [vertical, horizontal] = corner.split("-");
  if (key === "ArrowUp") vertical = "top";
  if (key === "ArrowDown") vertical = "bottom";
  if (key === "ArrowLeft") horizontal = "left";
  if (key === "ArrowRight") horizontal = "right";
  return /** @type {Corner} */ (`${vertical}-${horizontal}`);
}

/**
 * The corner nearest to a point.
 * @param {{x: number, y: number}} point in the same coordinates as the box
 * @param {{left: number, top: number, width: number, height: number}} box
 * @returns {Corner}
 */
export function nearest(point, box) {
  const vertical = point.y < box.top + box.height / 2 ? "top" : "bottom";
  const horizontal = point.x < box.left + box.width / 2 ? "left" : "right";
  return /** @type {Corner} */ (`${vertical}-${horizontal}`);
}

/** The least part of a picture's width that may stay in view when its sides are cut; a face is in the middle. */
const SIDES = 0.22;
/** The same for its height: a picture from an upright phone in a wide tile would lose the face. */
const ENDS = 0.55;

/**
 * Whether a picture fills its tile or is shown whole with empty edges.
 * @param {{width: number, height: number}} picture in pixels; 0 before the first frame
 * @param {{width: number, height: number}} tile
 * @returns {"cover" | "contain"}
 */
export function fit(picture, tile) {
  if (!picture.width || !picture.height || !tile.width || !tile.height) return "cover";
  const ratio = tile.width / tile.height / (picture.width / picture.height);
  return (ratio < 1 ? ratio >= SIDES : 1 / ratio >= ENDS) ? "cover" : "contain";
}
