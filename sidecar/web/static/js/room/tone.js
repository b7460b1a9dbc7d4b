// @ts-check
// A short tone when a recording begins, and another when it ends: nobody has to look to know.

/** Hertz, one after the other. */
const TONES = { begins: [660, 880], ends: [880, 660] };
/** Seconds of one tone. */
const LENGTH = 0.16;
const LOUDNESS = 0.12;

export class Tone {
  /** @type {AudioContext | null} */ #audio = null;

  /** @param {keyof typeof TONES} name */
  play(name) {
    const audio = this.#audio ?? new AudioContext();
    this.#audio = audio;
    void audio.resume().catch(() => undefined);
    TONES[name].forEach((frequency, place) => {
      const source = audio.createOscillator();
      const gain = audio.createGain();
      const begin = audio.currentTime + place * LENGTH;
      source.frequency.value = frequency;
      gain.gain.setValueAtTime(0, begin);
      gain.gain.linearRampToValueAtTime(LOUDNESS, begin + 0.02);
      gain.gain.linearRampToValueAtTime(0, begin + LENGTH);
      source.connect(gain).connect(audio.destination);
      source.start(begin);
      source.stop(begin + LENGTH);
    });
  }
}
