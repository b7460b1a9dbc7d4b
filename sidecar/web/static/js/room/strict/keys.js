// @ts-check
// The keys of a meeting that is encrypted all the way. Each page makes a key pair of its own (ECDH, P-256); what it sends is
// sealed with a key that only those in the room are given, each wrapped for one pair. The server passes both on and holds neither.

const CURVE = { name: "ECDH", namedCurve: "P-256" };
const CODE_ROUNDS = 100_000;
const GROUPS = 5;
const utf8 = new TextEncoder();

/** @typedef {{id: string, name: string, level: string, key: string}} Holder key: the public key, base64url, 65 bytes uncompressed */

/** @param {Uint8Array} bytes */
export const text64 = (bytes) => btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

/** @param {string} text @returns {Uint8Array<ArrayBuffer>} */
export const bytes64 = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (sign) => sign.charCodeAt(0));

export class Keys {
  /** @type {CryptoKeyPair} */ #pair;
  #me;
  #meeting;

  /** @param {CryptoKeyPair} pair @param {string} own @param {{me: string, meeting: string}} where */
  constructor(pair, own, { me, meeting }) {
    this.#pair = pair;
    this.#me = me;
    this.#meeting = meeting;
    /** Our public key, base64url. */
    this.own = own;
  }

  /** A fresh pair, for this page alone: its private half never leaves the browser's keeping. @param {{me: string, meeting: string}} where */
  static async make(where) {
    const pair = await crypto.subtle.generateKey(CURVE, false, ["deriveBits"]);
    return new Keys(pair, text64(new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey))), where);
  }

  /**
   * A new key for what we send, and the same key wrapped for each of these.
   * @param {{id: string, key: string}[]} others
   */
  async fresh(others) {
    const raw = crypto.getRandomValues(new Uint8Array(32));
    const id = crypto.getRandomValues(new Uint32Array(1))[0];
    const plain = new Uint8Array(36);
    new DataView(plain.buffer).setUint32(0, id);
    plain.set(raw, 4);
    /** @type {Record<string, string>} */
    const sealed = {};
    for (const { id: to, key } of others) {
      const iv = crypto.getRandomValues(new Uint8Array(12));
      const wrapped = await crypto.subtle.encrypt(this.#bound(iv, this.#me, to), await this.#shared(key, this.#me, to), plain);
      sealed[to] = text64(new Uint8Array([...iv, ...new Uint8Array(wrapped)]));
    }
    return { frame: { id, key: await imported(raw, ["encrypt"]) }, sealed };
  }

  /**
   * The key somebody sends with, as they wrapped it for us. Throws where it was made for another meeting, person or key.
   * @param {{id: string, key: string}} from @param {string} sealed
   * @returns {Promise<import("./frames.js").FrameKey>}
   */
  async unwrap(from, sealed) {
    const bytes = bytes64(sealed);
    const shared = await this.#shared(from.key, from.id, this.#me);
    const plain = await crypto.subtle.decrypt(this.#bound(bytes.slice(0, 12), from.id, this.#me), shared, bytes.slice(12));
    return { id: new DataView(plain).getUint32(0), key: await imported(new Uint8Array(plain, 4, 32), ["decrypt"]) };
  }

  /** @param {Uint8Array<ArrayBuffer>} iv @param {string} from @param {string} to */
  #bound(iv, from, to) {
    return { name: "AES-GCM", iv, additionalData: utf8.encode(`${this.#meeting} ${from} ${to}`) };
  }

  /** The key between two pairs (HKDF over ECDH, RFC 5869), bound to the meeting and the direction. @param {string} theirs @param {string} from @param {string} to */
  async #shared(theirs, from, to) {
    const point = await crypto.subtle.importKey("raw", bytes64(theirs), CURVE, false, []);
    const secret = await crypto.subtle.deriveBits({ name: "ECDH", public: point }, this.#pair.privateKey, 256);
    const base = await crypto.subtle.importKey("raw", secret, "HKDF", false, ["deriveKey"]);
    const how = { name: "HKDF", hash: "SHA-256", salt: utf8.encode(this.#meeting), info: utf8.encode(`tillit strict 1 ${from} ${to}`) };
    return crypto.subtle.deriveKey(how, base, { name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
  }
}

/** @param {Uint8Array<ArrayBuffer>} raw @param {KeyUsage[]} uses */
const imported = (raw, uses) => crypto.subtle.importKey("raw", raw, "AES-GCM", false, uses);

/**
 * The code all of them see when all of them hold the same keys for the same people: five groups of four digits (66 bits),
 * slow to try out. Names and levels are part of it, so a key under another name makes another code.
 * @param {string} meeting @param {Holder[]} holders
 * @returns {Promise<string[]>}
 */
export async function code(meeting, holders) {
  const lines = holders.map(({ id, name, level, key }) => JSON.stringify([id, name, level, key])).sort();
  const base = await crypto.subtle.importKey("raw", utf8.encode(lines.join("\n")), "PBKDF2", false, ["deriveBits"]);
  const how = { name: "PBKDF2", hash: "SHA-256", salt: utf8.encode(`tillit code 1 ${meeting}`), iterations: CODE_ROUNDS };
  const bits = new DataView(await crypto.subtle.deriveBits(how, base, GROUPS * 64));
  return Array.from({ length: GROUPS }, (_, n) => String(bits.getBigUint64(n * 8) % 10_000n).padStart(4, "0"));
}

/** A public key in short, as the meeting's evidence names it: the first 16 hex digits of its SHA-256, in fours. @param {string} key */
export async function fingerprint(key) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes64(key)));
  const hex = [...digest.slice(0, 8)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replaceAll(/(.{4})(?=.)/gu, "$1 ");
}
