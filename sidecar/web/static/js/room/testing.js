// @ts-check
// Made-up people and rooms for the tests beside this file; no page loads it.

/** @returns {import("./state.js").Person} */
export const person = (/** @type {string} */ id, more = {}) => ({
  id, name: `${id} Efternamn`, given: id, capacity: "customer", capacity_label: "Kund", verified: "BankID, tillitsnivå 3", state: "in_room", ...more,
});
/** @returns {import("./state.js").Room} */
export const room = (more = {}) => ({
  meeting: { id: "m_1", title: "Bolånemöte", type: "mortgage@1", band: "high", band_label: "hög", started_at: null, ends_at: null, promise: "Mötet spelas inte in.", encryption: "bridge", state: "running", brand: "Exempelbanken" },
  me: { id: "p_elin", name: "Elin Sjöhage", capacity: "adviser", permissions: ["chat"], session_until: null },
  people: [], lobby: [], alerts: [], refusals: { record: "Mötet får inte spelas in." }, chat: [], raises: [], ...more,
});
