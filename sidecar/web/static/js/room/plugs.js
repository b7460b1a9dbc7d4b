// @ts-check
// What was plugged in or out, read from two lists of devices. Pure: the browser only says that something changed.

/** @typedef {{deviceId: string, groupId?: string, kind: string, label: string}} Device */

/** Names that stand for another device of the list: whichever the system prefers just now. */
const STANDS_FOR = ["default", "communications"];

/**
 * The device itself, where the browser gave the name of a role.
 * @param {Device[]} list
 * @param {string} kind
 * @param {string} id
 */
export function realId(list, kind, id) {
  if (!STANDS_FOR.includes(id)) return id;
  const role = list.find((device) => device.kind === kind && device.deviceId === id);
  const real = role?.groupId && list.find((device) => device.kind === kind && device.groupId === role.groupId && !STANDS_FOR.includes(device.deviceId));
  return real ? real.deviceId : id;
}

/** @param {Device[]} list @param {string} kind @param {string} id */
export const has = (list, kind, id) => id !== "" && list.some((device) => device.kind === kind && device.deviceId === id);

/** @param {Device[]} list @param {string} kind @param {string} id */
export const labelOf = (list, kind, id) => list.find((device) => device.kind === kind && device.deviceId === id)?.label ?? "";

/**
 * Devices of a kind that were not there before. None when there was nothing to compare with: then only names came.
 * @param {Device[]} before @param {Device[]} now @param {string} kind
 */
export function added(before, now, kind) {
  const known = new Set(before.filter((device) => device.kind === kind && device.deviceId).map(({ deviceId }) => deviceId));
  if (known.size === 0) return [];
  return now.filter((device) => device.kind === kind && device.label && !STANDS_FOR.includes(device.deviceId) && !known.has(device.deviceId));
}
