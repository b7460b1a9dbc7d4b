"""How well speech that came through a network can still be understood: STOI, from 0 (nothing) to 1 (as it was said).

Short-time objective intelligibility compares how loud each third of an octave is over stretches of 0.4 s, in what was
said and in what was heard. Source: Taal, Hendriks, Heusdens, Jensen, "An Algorithm for Intelligibility Prediction of
Time-Frequency Weighted Noisy Speech", IEEE Transactions on Audio, Speech and Language Processing 19(7), 2011.

What listeners make of it: in that article's listening tests more than nine words in ten are understood from about 0.75
on, and nearly all from 0.85 on (figure 3; the mapping depends on the words). GOOD is that with room to spare.

A network also shifts speech in time, which costs nothing in understanding: each sentence is compared where it was
heard. Signals are float arrays, mono.
"""

import io
import shutil
import subprocess
import wave
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.float64]

GOOD = 0.85
SENTENCES = (
    "The interest on your loan is four point two per cent.",
    "Please read the second page before you sign it.",
    "We agreed on the fourteenth of March at a quarter past nine.",
    "The house costs three hundred and ninety thousand.",
    "Could you show me the letter from the insurance company?",
    "Your savings stay where they are until the summer.",
    "Nobody else can see what you write on this form.",
    "Thank you, and call me if anything is unclear.",
)
SPEECH_HZ = 48_000
PAUSE_S = 0.5

_HZ = 10_000
_FRAME, _STEP, _FFT = 256, 128, 512
_BANDS, _LOWEST_HZ = 15, 150.0
_STRETCH = 30  # frames: 384 ms
_CLIP = 10 ** (15 / 20)  # a band at -15 dB or worse counts as lost, however much worse
_SILENT_DB = 40.0
_SEARCH_S = 0.8  # how far a sentence may have moved from where the whole speech is
_HOP = 50  # samples: 5 ms
_PIECE = 4000  # samples: 0.4 s
_STRAYS = 600  # samples: how far such a piece may have moved against the one before it
_TINY = np.finfo(np.float64).eps


@dataclass(frozen=True)
class Speech:
    """What is said. signal: at SPEECH_HZ, -1..1. spans: each sentence's first and last sample."""

    signal: Signal
    spans: tuple[tuple[int, int], ...]

    @property
    def seconds(self) -> float:
        return len(self.signal) / SPEECH_HZ


def can_speak() -> bool:
    """Whether this machine has the voice."""
    return shutil.which("espeak-ng") is not None


def spoken(sentences: Sequence[str] = SENTENCES) -> Speech:
    """Return the sentences as espeak-ng says them, with a pause after each. The same samples each time."""
    parts: list[Signal] = []
    spans: list[tuple[int, int]] = []
    at = 0
    for sentence in sentences:
        said = subprocess.run(
            ["espeak-ng", "-v", "en", "-s", "150", "--stdout", sentence], check=True, capture_output=True, timeout=20
        ).stdout
        with wave.open(io.BytesIO(said)) as file:
            rate = file.getframerate()
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float64)
        voice = resampled(samples, rate, SPEECH_HZ)
        voice *= 0.5 / np.max(np.abs(voice))
        parts += [voice, np.zeros(int(PAUSE_S * SPEECH_HZ))]
        spans.append((at, at + len(voice)))
        at += len(voice) + int(PAUSE_S * SPEECH_HZ)
    return Speech(np.concatenate(parts), tuple(spans))


def resampled(signal: Signal, rate: int, wanted: int) -> Signal:
    """Return the signal at another rate, what the lower rate cannot hold cut off."""
    length = round(len(signal) * wanted / rate)
    found: Signal = np.fft.irfft(np.fft.rfft(signal)[: length // 2 + 1], length) * (length / len(signal))
    return found


def understood(speech: Speech, heard: Signal, rate: int) -> float:
    """Return the mean STOI of the sentences in what was heard, at `rate`: each found where it is, 0 where it is not."""
    said = resampled(speech.signal, SPEECH_HZ, _HZ)
    ears = resampled(heard, rate, _HZ)
    start = _found_at(_envelope(said), _envelope(ears)) * _HOP
    far = int(_SEARCH_S * _HZ)
    # Silence around: a sentence may begin before what was recorded, or be missing.
    margin = len(said) + 2 * far
    ears = np.concatenate([np.zeros(margin), ears, np.zeros(margin)])
    scores = []
    for first, last in speech.spans:
        sentence = said[first * _HZ // SPEECH_HZ : last * _HZ // SPEECH_HZ]
        near = min(max(0, margin + start + first * _HZ // SPEECH_HZ - far), len(ears) - len(sentence) - 2 * far)
        around = ears[near : near + len(sentence) + 2 * far]
        at = near + _found_at(_envelope(sentence), _envelope(around)) * _HOP
        scores.append(stoi(sentence, _followed(sentence, ears, at)))
    return float(np.mean(scores))


def _followed(sentence: Signal, ears: Signal, at: int) -> Signal:
    """Return what was heard of a sentence that begins near `at`, brought to its time piece by piece.

    A jitter buffer speeds speech up and slows it down by a little all the time; listeners do not mind.
    """
    parts = []
    for begin in range(0, len(sentence), _PIECE):
        piece = sentence[begin : begin + _PIECE]
        near = at + begin - _STRAYS
        around = ears[max(0, near) : near + len(piece) + 2 * _STRAYS]
        shift = min(max(0, _found_at(piece, around)), max(0, len(around) - len(piece)))
        parts.append(around[shift : shift + len(piece)])
        at = max(0, near) + shift - begin
    return np.concatenate(parts)


def _envelope(signal: Signal) -> Signal:
    """Return how loud the signal is every _HOP samples, without its mean."""
    count = len(signal) // _HOP
    levels = np.sqrt(np.mean(signal[: count * _HOP].reshape(count, _HOP) ** 2, axis=1))
    found: Signal = levels - levels.mean()
    return found


def stoi(said: Signal, heard: Signal) -> float:
    """Return the intelligibility of two aligned signals at 10 kHz. A shorter second one was not heard to its end."""
    heard = np.concatenate([heard, np.zeros(max(0, len(said) - len(heard)))])[: len(said)]
    clean, noisy = _without_silence(said, heard)
    x, y = _band_levels(clean), _band_levels(noisy)
    if x.shape[1] < _STRETCH:
        raise ValueError("less than 0.4 s of speech")
    a, b = (np.lib.stride_tricks.sliding_window_view(levels, _STRETCH, axis=1) for levels in (x, y))
    scale = np.linalg.norm(a, axis=2, keepdims=True) / (np.linalg.norm(b, axis=2, keepdims=True) + _TINY)
    b = np.minimum(b * scale, a * (1 + _CLIP))
    a = a - a.mean(axis=2, keepdims=True)
    b = b - b.mean(axis=2, keepdims=True)
    norms = np.linalg.norm(a, axis=2) * np.linalg.norm(b, axis=2) + _TINY
    return float(np.mean(np.sum(a * b, axis=2) / norms))


def _found_at(part: Signal, whole: Signal) -> int:
    """Return where in `whole` the part begins, by the peak of their correlation; negative when cut at the front."""
    size = 1 << int(np.ceil(np.log2(len(part) + len(whole))))
    found = np.fft.irfft(np.fft.rfft(whole, size) * np.conj(np.fft.rfft(part, size)), size)
    at = int(np.argmax(found))
    return at if at < len(whole) else at - size


def _frames(signal: Signal) -> Signal:
    count = max(0, (len(signal) - _FRAME) // _STEP + 1)
    places = np.arange(_FRAME)[None, :] + _STEP * np.arange(count)[:, None]
    window = np.hanning(_FRAME + 2)[1:-1]
    found: Signal = signal[places] * window
    return found


def _without_silence(said: Signal, heard: Signal) -> tuple[Signal, Signal]:
    """Return both without the frames in which hardly anything was said, put together again by overlap and add."""
    clean, noisy = _frames(said), _frames(heard)
    level = 20 * np.log10(np.linalg.norm(clean, axis=1) + _TINY)
    loud = level > level.max() - _SILENT_DB
    return _joined(clean[loud]), _joined(noisy[loud])


def _joined(frames: Signal) -> Signal:
    signal = np.zeros(len(frames) * _STEP + _FRAME - _STEP)
    for number, frame in enumerate(frames):
        signal[number * _STEP : number * _STEP + _FRAME] += frame
    return signal


def _band_levels(signal: Signal) -> Signal:
    """Return the level of each third of an octave in each frame, (bands, frames)."""
    power = np.abs(np.fft.rfft(_frames(signal), _FFT, axis=1)) ** 2
    at = np.linspace(0, _HZ / 2, _FFT // 2 + 1)
    centres = _LOWEST_HZ * 2.0 ** (np.arange(_BANDS) / 3)
    bands = np.zeros((_BANDS, len(at)))
    for band, centre in enumerate(centres):
        low, high = (int(np.argmin(np.abs(at - centre * 2.0**step))) for step in (-1 / 6, 1 / 6))
        bands[band, low:high] = 1
    levels: Signal = np.sqrt(bands @ power.T)
    return levels
