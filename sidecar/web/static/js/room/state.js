// @ts-check
// The room's state as the server tells it, and what can be read out of it. The page only mirrors: the server decides.

/**
 * @typedef {object} Person
 * @property {string} id
 * @property {string} name as verified
 * @property {string} given
 * @property {string} capacity "adviser" | "specialist" | "customer" | "representative" | "observer"
 * @property {string} capacity_label
 * @property {string} verified how the name was shown to be true
 * @property {"in_room" | "admitted" | "away" | "left"} state away: the connection broke, and the place is kept
 * @property {boolean} [hand]
 * @property {boolean} [sharing]
 * @property {boolean} [muted] by a moderator
 * @property {string} [key] the public key of this person's page, where the meeting is encrypted all the way
 * @property {string} [level] how the name was shown to be true, the same in every language: "bankid/high"
 * @property {string} [sealed] the key this person sends with, wrapped for me
 */
/**
 * @typedef {{id: string, name: string, verified: string, since: string | null, away_since?: string | null, capacity_label: string}} Waiting
 *   away_since: the lobby's page was last open then
 */
/** @typedef {{id: string, from: string, name: string, at: string, text: string}} Message */
/** @typedef {{target: string, label: string, sentence: string, check: string}} Raise check: where the check before the call is made anew, "" where it is enough */
/**
 * @typedef {object} Room
 * @property {{id: string, title: string, type: string, band: string, band_label: string, started_at: string | null, ends_at: string | null,
 *   promise: string, encryption: string, state: string, brand: string}} meeting
 * @property {{id: string, name: string, capacity: string, permissions: string[], session_until: string | null}} me
 * @property {Person[]} people
 * @property {Waiting[]} [lobby] only with the permission "admit"
 * @property {{sentence: string, id?: string, at?: string}[]} [alerts] with the permission "admit", and for whoever asked for a recording
 * @property {Record<string, string>} [refusals] permission -> the sentence for whoever asks anyway
 * @property {import("./plugins.js").Panel[]} [panels] of plugins, those this person sees
 * @property {Message[]} [chat]
 * @property {import("./recording.js").Recording | null} [recording] that is asked for, runs or pauses
 * @property {import("./recording.js").Form | null} [recording_form] only with the permission "record"
 * @property {Raise[]} [raises] only with the permission "raise_security"
 * @property {boolean} [needs_national_id] a guest is invited by personal number; only with the permission "invite_guest"
 */

/** @param {Room} room @param {string} permission */
export const may = (room, permission) => room.me.permissions.includes(permission);

/** @param {Room} room @param {string[]} permissions */
export const mayAny = (room, permissions) => permissions.some((permission) => may(room, permission));

/** The first sentence the policy gave for these permissions. @param {Room} room @param {string[]} permissions */
export const refusal = (room, permissions) =>
  permissions.map((permission) => room.refusals?.[permission]).find((sentence) => sentence) ?? "";

/** Those in the room besides me, in the order they are read. @param {Room} room */
export const others = (room) => room.people.filter(({ id, state }) => id !== room.me.id && state === "in_room");

/** Those who have a place on the stage besides me: also who lost the connection a moment ago. @param {Room} room */
export const seated = (room) => room.people.filter(({ id, state }) => id !== room.me.id && (state === "in_room" || state === "away"));

/** Those at the door, without who has gone from it for a while. @param {Room} room */
export const waiting = (room) => (room.lobby ?? []).filter(({ away_since }) => !away_since);

/** Me, as the others see me. @param {Room} room @returns {Person} */
export function self(room) {
  const { id, name, capacity } = room.me;
  const given = name.split(/\s+/u)[0] ?? name;
  return room.people.find((person) => person.id === id) ?? { id, name, given, capacity, capacity_label: "", verified: "", state: "in_room" };
}

/** @param {Room} room */
export const isStaff = (room) => ["adviser", "specialist"].includes(room.me.capacity);

/** Two letters for a tile without a picture. @param {string} name */
export function initials(name) {
  const parts = name.trim().split(/\s+/u).filter(Boolean);
  const ends = parts.length > 1 ? [parts[0], parts[parts.length - 1]] : parts;
  return ends.map((part) => [...part][0].toLocaleUpperCase()).join("");
}

/** A person's part, where it needs saying: the customer is the one the meeting is for. @param {Person} person */
export const shownPart = (person) => (person.capacity === "customer" ? "" : person.capacity_label);

/** What stands under a name: the part, and how the name was shown to be true. @param {Person} person */
export const proof = (person) => [shownPart(person), person.verified].filter(Boolean).join(", ");

/**
 * The name of a tile for a screen reader: "Maja Granlid, kund, BankID, tillitsnivå 3, mikrofonen är på".
 * @param {Person} person
 * @param {{microphone: boolean | null, camera: boolean | null, network?: string}} media null is not known yet
 * @param {boolean} mine
 * @param {import("./texts.js").Say} t
 */
export function label(person, media, mine, t) {
  const parts = [mine ? t("you_named", { name: person.name }) : person.name, person.capacity_label.toLocaleLowerCase(), person.verified];
  if (person.state === "away" && !mine) parts.push(t("tile.away"));
  if (media.microphone !== null) parts.push(t(media.microphone ? "tile.mic_on" : "tile.mic_off"));
  if (media.camera === false) parts.push(t("tile.camera_off"));
  if (person.hand) parts.push(t("tile.hand"));
  if (media.network === "weak") parts.push(t("tile.weak"));
  if (media.network === "sound_only") parts.push(t("tile.sound_only"));
  return parts.filter(Boolean).join(", ");
}
