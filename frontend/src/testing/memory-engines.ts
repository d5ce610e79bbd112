import { create, type MessageInitShape } from '@bufbuild/protobuf';
import type { ConnectError, ServiceImpl } from '@connectrpc/connect';
import { Environment_State } from '@/gen/musicgen/api/inference/v1/environment_pb';
import {
  type CheckLyricsRequest,
  type CheckLyricsResponseSchema,
  type Engine,
  Engine_State,
  EngineSchema,
  type InferenceService,
} from '@/gen/musicgen/api/inference/v1/inference_service_pb';
import { MemoryDevices } from './memory-devices';

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

/** Engines: the composer, one that can't run here, and those that are added. */
export class MemoryEngines {
  readonly devices = new MemoryDevices();
  /** Whether the composer tells what a plan can say; older ones don't. */
  tellsPlan = true;
  /** More engines, or others in the place of those of the same name. */
  added: Engine[] = [];
  /** What CheckLyrics answers. */
  checked: MessageInitShape<typeof CheckLyricsResponseSchema> = {};
  /** What it was asked. */
  readonly checks: CheckLyricsRequest[] = [];
  /** Thrown by the next call of this method. */
  readonly failNext = new Map<string, ConnectError>();

  /** Puts an engine in the place of the one of its name. */
  put(engine: Engine): void {
    const name = engine.manifest?.name;
    this.added = [...this.added.filter((one) => one.manifest?.name !== name), engine];
  }

  service(): Partial<ServiceImpl<typeof InferenceService>> {
    return {
      listEngines: () => ({ engines: this.#engines() }),
      listDevices: () => this.devices.list(),
      selectDevice: ({ deviceId }) => {
        this.#enter('selectDevice');
        return this.devices.select(deviceId);
      },
      checkLyrics: (request) => {
        this.checks.push(request);
        this.#enter('checkLyrics');
        return this.checked;
      },
    };
  }

  #enter(method: string): void {
    const refused = this.failNext.get(method);
    this.failNext.delete(method);
    if (refused !== undefined) throw refused;
  }

  #engines() {
    const names = this.added.map((engine) => engine.manifest?.name);
    const own = [composer(this.tellsPlan), BROKEN];
    return [...own.filter(({ manifest }) => !names.includes(manifest?.name)), ...this.added];
  }
}

const BROKEN = create(EngineSchema, {
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
});

function composer(tellsPlan: boolean): Engine {
  return create(EngineSchema, {
    state: Engine_State.READY,
    environment: { engine: 'composer', state: Environment_State.NOT_NEEDED },
    manifest: {
      name: 'composer',
      displayName: 'Composer',
      version: '1.0.0',
      description: 'Writes a score from the prompt and plays it on synthesised instruments.',
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
            items: oneOf('piano', 'bass', 'electric_guitar', 'electric_bass', 'flute', 'warm_pad'),
          },
          mode: { title: 'Mode', ...oneOf('major', 'minor', 'dorian') },
          metre: { title: 'Metre', ...oneOf('4/4', '3/4', '7/8') },
          texture: { title: 'Texture', ...oneOf('rain', 'vinyl', 'none') },
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
          plan: tellsPlan ? PLAN : { type: 'object' },
        },
      },
    },
  });
}
