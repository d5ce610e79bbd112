/** Prompts to start from: one for each corner of what people ask for. */
export const EXAMPLES: readonly { readonly name: string; readonly prompt: string }[] = [
  {
    name: 'Lofi',
    prompt: 'Warm lofi hip hop, 82 bpm, dusty electric piano and soft drums, rainy night',
  },
  {
    name: 'Focus',
    prompt: 'Slow ambient pads in D major, no drums, wide and calm, for concentrating',
  },
  {
    name: 'Night drive',
    prompt: 'Synthwave, 104 bpm, A minor, driving bass, bright arpeggio, neon city',
  },
  {
    name: 'Piano',
    prompt: 'Gentle solo piano waltz, 76 bpm, melancholy, a few hopeful turns',
  },
];
