/** A short, soft sound of two tones, without a file. */

const LEAST_PAUSE_MS = 1_000;
const LOUDNESS = 0.06;
/** Later than this it would be a riddle what it was for. */
const LATE_MS = 500;

let context: AudioContext | undefined;
let last = -LEAST_PAUSE_MS;

export function chime(): void {
  const now = performance.now();
  if (now - last < LEAST_PAUSE_MS) return;
  last = now;
  try {
    const audio = (context ??= new AudioContext());
    // A browser is silent until the page was touched: what it would play only then is left out.
    audio.resume().then(
      () => performance.now() - now < LATE_MS && play(audio),
      () => {},
    );
  } catch {
    // No sound on this machine.
  }
}

function play(audio: AudioContext): void {
  tone(audio, 660, 0);
  tone(audio, 880, 0.09);
}

function tone(audio: AudioContext, frequency_hz: number, after_s: number): void {
  const start = audio.currentTime + after_s;
  const gain = audio.createGain();
  gain.gain.setValueAtTime(0, start);
  gain.gain.linearRampToValueAtTime(LOUDNESS, start + 0.01);
  gain.gain.exponentialRampToValueAtTime(0.0001, start + 0.22);
  gain.connect(audio.destination);
  const oscillator = audio.createOscillator();
  oscillator.type = "sine";
  oscillator.frequency.value = frequency_hz;
  oscillator.connect(gain);
  oscillator.start(start);
  oscillator.stop(start + 0.25);
}
