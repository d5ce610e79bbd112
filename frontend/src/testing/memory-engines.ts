import type { ServiceImpl } from '@connectrpc/connect';
import {
  Engine_State,
  type InferenceService,
} from '@/gen/musicgen/api/inference/v1/inference_service_pb';

const LAYERS = {
  plan: 'tempo, key, metre, swing, instruments and patterns that nobody asked for',
  harmony: 'the chords and their changes',
  form: 'who plays in which section, drop-outs',
  drums: 'the drums’ notes and touch',
  bass: 'the bass’s notes and touch',
  chords: 'the chords’ rhythm and touch',
  pad: 'the pad’s notes and touch',
  arp: 'the arpeggio’s figure and touch',
  lead: 'the melody and its touch',
  sound: 'the grain of the synthesised sounds',
  room: 'the reverb’s noise',
  texture: 'rain, vinyl and the like',
  title: 'the title',
};

const oneOf = (...names: string[]) => ({ type: 'string', enum: names });

/** What a plan can say, in the shape that the composer tells it. */
const PLAN = {
  type: 'object',
  properties: {
    tempo_bpm: { type: 'number', minimum: 40, maximum: 220 },
    mode: oneOf('major', 'minor', 'dorian'),
    metre: oneOf('4/4', '3/4', '7/8'),
    swing: { type: 'number', minimum: 0, maximum: 0.6 },
    texture: oneOf('', 'rain', 'vinyl'),
    parts: {
      type: 'object',
      properties: {
        drums: oneOf('jazz', 'lofi', 'pop'),
        ...Object.fromEntries(
          ['bass', 'chords', 'pad', 'arp', 'lead'].map((part) => [
            part,
            oneOf('piano', 'bass', 'electric_guitar', 'electric_bass', 'flute', 'warm_pad'),
          ]),
        ),
      },
    },
    styles: {
      type: 'object',
      properties: {
        groove: oneOf('boombap', 'dusty', 'one_drop', 'pop'),
        bass: oneOf('laidback', 'roots', 'tumbao'),
        comping: oneOf('block', 'montuno', 'rolled'),
        arp: oneOf('pulse', 'up'),
      },
    },
    sections: {
      type: 'array',
      items: {
        type: 'object',
        properties: { kind: oneOf('intro', 'A', 'B', 'C', 'break', 'outro') },
      },
    },
  },
};

/** Two engines: one that takes options, one that can't run here. */
export class MemoryEngines {
  /** Whether the composer tells what a plan can say; older ones don't. */
  tellsPlan = true;

  service(): Partial<ServiceImpl<typeof InferenceService>> {
    return {
      listEngines: () => ({
        engines: [
          {
            state: Engine_State.READY,
            manifest: {
              name: 'composer',
              displayName: 'Composer',
              version: '1.0.0',
              description:
                'Writes a score from the prompt and plays it on synthesised instruments.',
              license: 'Apache-2.0',
              sampleRateHz: 44_100,
              channels: 2,
              minDurationSeconds: 5,
              maxDurationSeconds: 600,
              defaultDurationSeconds: 60,
              optionsSchema: {
                type: 'object',
                properties: {
                  tempo_bpm: {
                    type: 'integer',
                    title: 'Tempo',
                    description: 'Beats per minute; overrides the prompt.',
                    minimum: 40,
                    maximum: 220,
                  },
                  key: { type: 'string', enum: ['A minor', 'C major', 'D major'], title: 'Key' },
                  drums: { type: 'boolean', title: 'Drums', default: true },
                  instruments: {
                    type: 'array',
                    title: 'Instruments',
                    items: {
                      type: 'string',
                      enum: [
                        'piano',
                        'bass',
                        'electric_guitar',
                        'electric_bass',
                        'flute',
                        'warm_pad',
                      ],
                    },
                  },
                  mode: { type: 'string', title: 'Mode', enum: ['major', 'minor', 'dorian'] },
                  metre: { type: 'string', title: 'Metre', enum: ['4/4', '3/4', '7/8'] },
                  texture: { type: 'string', title: 'Texture', enum: ['rain', 'vinyl', 'none'] },
                  stems: { type: 'array' },
                  seeds: {
                    type: 'object',
                    properties: Object.fromEntries(
                      Object.entries(LAYERS).map(([layer, what]) => [
                        layer,
                        { type: 'integer', minimum: 0, description: `Decides ${what}.` },
                      ]),
                    ),
                  },
                  plan: this.tellsPlan ? PLAN : { type: 'object' },
                },
              },
            },
          },
          {
            state: Engine_State.UNAVAILABLE,
            detail: 'The weights are not installed.',
            manifest: {
              name: 'diffrhythm',
              displayName: 'DiffRhythm',
              version: '1.2.0',
              supportsLyrics: true,
              minDurationSeconds: 10,
              maxDurationSeconds: 285,
            },
          },
        ],
      }),
    };
  }
}
