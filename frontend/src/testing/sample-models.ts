import { create } from '@bufbuild/protobuf';
import {
  type Licence,
  LicenceSchema,
  type Model,
  Model_State,
  ModelSchema,
} from '@/gen/musicgen/api/inference/v1/model_pb';

const APACHE = create(LicenceSchema, {
  licenceId: 'Apache-2.0',
  title: 'Apache License 2.0',
  url: 'https://www.apache.org/licenses/LICENSE-2.0',
  summary: 'Free for any use, also commercial, if the notices stay with the weights.',
  meaningForTracks: 'Tracks are yours to use, also commercially.',
});

const NON_COMMERCIAL = create(LicenceSchema, {
  licenceId: 'CC-BY-NC-4.0',
  title: 'Creative Commons Attribution-NonCommercial 4.0',
  url: 'https://creativecommons.org/licenses/by-nc/4.0/',
  summary: 'The weights may be used and shared with attribution, but not for commercial purposes.',
  meaningForTracks: 'Don’t make tracks with them that you sell, license or monetise.',
  mustAccept: true,
  nonCommercial: true,
});

const COMMUNITY = create(LicenceSchema, {
  licenceId: 'Stability-Community',
  title: 'Stability AI Community License',
  url: 'https://stability.ai/community-license-agreement',
  summary: 'Free for research, and for commercial use by those with less than a million dollars.',
  meaningForTracks: 'Tracks are yours. Selling them needs a registration with Stability AI.',
  mustAccept: true,
});

const PARTS = ['vae', 'style-encoder', 'tokens'];

/** Two models that are chosen by themselves, and the parts that both need. */
export function sampleModels(): Model[] {
  return [
    song('diffrhythm-1.2-base', 'DiffRhythm 1.2 base', 'v1.2-base', 95, 4.5e9),
    song('diffrhythm-1.2-full', 'DiffRhythm 1.2 full', 'v1.2-full', 285, 6e9),
    part('vae', 'DiffRhythm VAE', 625_000_000, COMMUNITY, 'Turns latents into audio.'),
    part('style-encoder', 'MuQ-MuLan large', 2_650_000_000, NON_COMMERCIAL, 'Reads a style.'),
    part('tokens', 'XLM-RoBERTa base', 9_000_000, APACHE, 'The text encoder’s tokens.'),
  ];
}

function song(
  name: string,
  displayName: string,
  variant: string,
  seconds: number,
  memory: number,
): Model {
  return create(ModelSchema, {
    name,
    displayName,
    variant,
    engine: 'diffrhythm',
    description: `Whole songs with vocals from lyrics and a style: up to ${seconds} seconds.`,
    repository: `ASLP-lab/${name}`,
    sizeBytes: 2_219_000_000n,
    memoryBytes: BigInt(memory),
    maxDurationSeconds: seconds,
    licence: APACHE,
    licenceAccepted: true,
    needs: PARTS,
    state: Model_State.NOT_INSTALLED,
  });
}

function part(
  name: string,
  displayName: string,
  size: number,
  licence: Licence,
  description: string,
): Model {
  return create(ModelSchema, {
    name,
    displayName,
    description,
    licence,
    engine: 'diffrhythm',
    sizeBytes: BigInt(size),
    licenceAccepted: !licence.mustAccept,
    state: Model_State.NOT_INSTALLED,
  });
}
