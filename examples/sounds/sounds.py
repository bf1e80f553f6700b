"""Synthesised sounds: the signals that stand for keywords, and voice-like sounds in noise, at 16 kHz, from -1 to 1."""

from __future__ import annotations

import numpy as np

RATE = 16000
LABELS = ("nothing", "beep", "rise", "fall", "warble", "clicks", "hiss")
HELD_OUT = 10**6  # sounds from this seed on are never trained on


def keyword(seed: int) -> tuple[np.ndarray, int]:
    """A second of some noise with one of the signals in it, or none, and its place in LABELS."""
    rng = np.random.default_rng(seed)
    kind = int(rng.integers(len(LABELS)))
    length = int(rng.uniform(0.35, 0.8) * RATE)
    t = np.arange(length) / RATE
    low, ratio = rng.uniform(300, 1500), rng.uniform(1.6, 3)
    pitch = np.full(length, low)
    if kind in (2, 3):  # rise, fall
        pitch = low * ratio ** (t / t[-1])
    elif kind == 4:  # warble
        pitch = low * (1 + 0.3 * np.sin(2 * np.pi * rng.uniform(5, 12) * t))
    signal = np.sin(2 * np.pi * np.cumsum(pitch[::-1] if kind == 3 else pitch) / RATE)
    if rng.random() < 0.5:  # an overtone
        signal = signal + rng.uniform(0.1, 0.6) * np.sin(4 * np.pi * np.cumsum(pitch[::-1] if kind == 3 else pitch) / RATE)
    if kind == 5:  # clicks
        every = int(RATE / rng.uniform(8, 25))
        signal = np.exp(-(np.arange(length) % every) / rng.uniform(10, 60)) * rng.choice([-1, 1], length)
    elif kind == 6:  # hiss
        signal = rng.normal(0, 0.5, length)
    edge = int(0.02 * RATE)
    signal[:edge] *= np.linspace(0, 1, edge)
    signal[-edge:] *= np.linspace(1, 0, edge)
    sound = np.zeros(RATE)
    if kind:
        start = int(rng.integers(RATE - length + 1))
        sound[start : start + length] = rng.uniform(0.1, 0.7) * signal
    level = np.abs(sound).max() if kind else rng.uniform(0.1, 0.7)
    sound += level * 10 ** rng.uniform(-2.5, -1) * coloured(rng, RATE)
    return sound.clip(-1, 1).astype(np.float32), kind


def coloured(rng: np.random.Generator, count: int) -> np.ndarray:
    """Steady noise of some random tilt, of a root mean square of 1."""
    spectrum = np.fft.rfft(rng.normal(size=count))
    spectrum /= np.maximum(np.fft.rfftfreq(count, 1 / RATE), 50) ** rng.uniform(0, 0.8)
    noise = np.fft.irfft(spectrum, count)
    return noise / noise.std()


def voice(rng: np.random.Generator, count: int) -> np.ndarray:
    """Voice-like: syllables of gliding pitch with overtones up to three formants, some of them breath, with pauses."""
    sound, place = np.zeros(count), int(rng.uniform(0, 0.3) * RATE)
    base = rng.uniform(85, 250)
    while place < count:
        length = int(rng.uniform(0.08, 0.35) * RATE)
        t = np.linspace(0, 1, length)
        formants = rng.uniform((250, 800, 2000), (900, 2300, 3500))
        if rng.random() < 0.2:
            spectrum = np.fft.rfft(rng.normal(size=length))
            syllable = np.fft.irfft(spectrum * _formed(np.fft.rfftfreq(length, 1 / RATE), 2 * formants, 900), length)
            syllable *= 0.3
        else:
            pitch = base * rng.uniform(0.8, 1.25) * rng.uniform(0.75, 1.3) ** t
            phase = 2 * np.pi * np.cumsum(pitch) / RATE
            overtones = np.arange(1, int(4500 / base))
            levels = _formed(overtones * base, formants, 150) / np.sqrt(overtones)
            syllable = (levels[:, None] * np.sin(overtones[:, None] * phase + rng.uniform(0, 2 * np.pi, (len(overtones), 1)))).sum(0)
        syllable *= np.sin(np.pi * t) ** 0.5 * rng.uniform(0.3, 1) / max(syllable.std(), 1e-6)
        room = min(length, count - place)
        sound[place : place + room] += syllable[:room]
        place += length + (int(rng.uniform(0.1, 0.5) * RATE) if rng.random() < 0.3 else int(rng.uniform(0, 0.05) * RATE))
    return sound / max(sound.std(), 1e-6)


def _formed(frequencies: np.ndarray, formants: np.ndarray, width: float) -> np.ndarray:
    return (np.exp(-np.square((frequencies[:, None] - formants) / width) / 2) * (1, 0.6, 0.3)).sum(1) + 0.01


def noisy(seed: int, seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """A voice-like sound alone, and in steady noise that is 0 to 10 dB weaker."""
    rng = np.random.default_rng(seed)
    clean = 0.1 * voice(rng, int(seconds * RATE))
    return clean.astype(np.float32), (clean + clean.std() * 10 ** -rng.uniform(0, 0.5) * coloured(rng, len(clean))).astype(np.float32)
