/** A mono WAV file with a swelling chord, and its peaks: for pages without a server. */
export function sampleAudio(seconds: number, seed: number): { audio: string; peaks: string } {
  const rateHz = 8_000;
  const frames = Math.round(seconds * rateHz);
  const bytes = new DataView(new ArrayBuffer(44 + frames * 2));
  writeHeader(bytes, rateHz, frames);
  const loudness = (at: number) =>
    0.25 +
    0.5 *
      Math.abs(Math.sin((at / seconds) * Math.PI * (3 + (seed % 4)))) *
      (0.6 + 0.4 * Math.sin(at * (2 + (seed % 5)) + seed));
  const peaks: [number, number][] = [];
  const framesPerPeak = Math.max(1, Math.floor(frames / 800));
  for (let from = 0; from < frames; from += framesPerPeak) {
    const wobble = 0.55 + 0.45 * Math.abs(Math.sin(from * 12.9898 + seed));
    const high = loudness(from / rateHz) * wobble;
    peaks.push([-high, high]);
  }
  for (let frame = 0; frame < frames; frame += 1) {
    const at = frame / rateHz;
    const tone = [220, 277, 330].reduce((sum, hz) => sum + Math.sin(2 * Math.PI * hz * at), 0) / 3;
    bytes.setInt16(44 + frame * 2, tone * loudness(at) * 12_000, true);
  }
  const body = JSON.stringify({ frames_per_peak: framesPerPeak, peaks });
  return {
    audio: URL.createObjectURL(new Blob([bytes.buffer], { type: 'audio/wav' })),
    peaks: URL.createObjectURL(new Blob([body], { type: 'application/json' })),
  };
}

function writeHeader(bytes: DataView, rateHz: number, frames: number): void {
  const text = (at: number, word: string) => {
    for (const [index, letter] of [...word].entries()) {
      bytes.setUint8(at + index, letter.charCodeAt(0));
    }
  };
  text(0, 'RIFF');
  bytes.setUint32(4, 36 + frames * 2, true);
  text(8, 'WAVEfmt ');
  bytes.setUint32(16, 16, true);
  bytes.setUint16(20, 1, true);
  bytes.setUint16(22, 1, true);
  bytes.setUint32(24, rateHz, true);
  bytes.setUint32(28, rateHz * 2, true);
  bytes.setUint16(32, 2, true);
  bytes.setUint16(34, 16, true);
  text(36, 'data');
  bytes.setUint32(40, frames * 2, true);
}
