// @ts-check
// What happened between two states of the room, as sentences to say. Speaking is never announced.

import { others, waiting } from "./state.js";

/**
 * @typedef {object} Change
 * @property {string} key of the sentence
 * @property {Record<string, string>} params
 * @property {boolean} [urgent]
 */

/**
 * @template T
 * @param {T[] | undefined} before
 * @param {T[] | undefined} after
 * @param {(item: T) => string} key
 */
const added = (before, after, key) => {
  const known = new Set((before ?? []).map(key));
  return (after ?? []).filter((item) => !known.has(key(item)));
};

/**
 * @param {import("./state.js").Room} before
 * @param {import("./state.js").Room} after
 * @returns {Change[]}
 */
export function changes(before, after) {
  const byId = (/** @type {{id: string}} */ { id }) => id;
  const came = added(others(before), others(after), byId);
  const went = added(others(after), others(before), byId);
  const old = new Map(before.people.map((person) => [person.id, person]));
  const present = others(after).filter(({ id }) => old.get(id)?.state === "in_room");
  const away = new Set(after.people.filter(({ state }) => state === "away").map(({ id }) => id));
  const own = after.me.id;
  return [
    ...added(waiting(before), waiting(after), byId).map(({ name }) => ({ key: "said.waiting", params: { name } })),
    ...(after.lobby ?? []).filter(({ id, away_since }) => away_since && waiting(before).some((one) => one.id === id))
      .map(({ name }) => ({ key: "said.waiting_away", params: { name } })),
    ...came.map(({ id, name }) => ({ key: old.get(id)?.state === "away" ? "said.back" : "said.came", params: { name } })),
    ...went.map(({ id, name }) => ({ key: away.has(id) ? "said.away" : "said.left", params: { name } })),
    ...others(after).filter(({ id, hand }) => hand && !old.get(id)?.hand).map(({ name }) => ({ key: "said.hand", params: { name } })),
    ...others(after).filter(({ id, sharing }) => sharing && !old.get(id)?.sharing).map(({ name }) => ({ key: "said.shares", params: { name } })),
    ...present.filter(({ id, sharing }) => !sharing && old.get(id)?.sharing).map(({ name }) => ({ key: "said.share_ended", params: { name } })),
    ...added(before.chat, after.chat, byId).filter(({ from }) => from !== own).map(({ name }) => ({ key: "said.chat", params: { name } })),
    ...(before.meeting.promise === after.meeting.promise ? [] : [{ key: "said.promise", params: { promise: after.meeting.promise } }]),
  ];
}

/**
 * Alerts that were not there before.
 * @param {import("./state.js").Room} before
 * @param {import("./state.js").Room} after
 */
export const newAlerts = (before, after) => added(before.alerts, after.alerts, ({ id, at, sentence }) => id ?? `${at} ${sentence}`);
