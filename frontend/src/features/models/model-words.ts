import { isInstalled } from '@/calls/engine-facts';
import { type Device, Device_Half } from '@/gen/musicgen/api/inference/v1/device_pb';
import {
  type Environment,
  Environment_State,
} from '@/gen/musicgen/api/inference/v1/environment_pb';
import { type Model, Model_State } from '@/gen/musicgen/api/inference/v1/model_pb';
import { sizeWords } from '@/ui/size';
import { lengthWords } from '@/ui/time';

/** A state in a word, and whether it is good or bad news. */
export interface StateWord {
  readonly word: string;
  readonly tone: 'good' | 'bad' | 'none';
}

export function environmentWord(environment: Environment): StateWord {
  switch (environment.state) {
    case Environment_State.READY:
      return { word: 'Ready', tone: 'good' };
    case Environment_State.BROKEN:
      return { word: 'Damaged', tone: 'bad' };
    case Environment_State.OUTDATED:
      return { word: 'Outdated', tone: 'bad' };
    default:
      return { word: 'Not set up', tone: 'none' };
  }
}

/** "0.9 GB, built for cpu" */
export function environmentFacts(environment: Environment): string {
  const size = Number(environment.sizeBytes);
  return [
    size > 0 ? sizeWords(size) : '',
    environment.deviceBuild === '' ? '' : `built for ${environment.deviceBuild}`,
  ]
    .filter((fact) => fact !== '')
    .join(', ');
}

export function modelWord(model: Model): StateWord {
  switch (model.state) {
    case Model_State.INSTALLED:
      return { word: 'Installed', tone: 'good' };
    case Model_State.LOADING:
      return { word: 'Loading…', tone: 'none' };
    case Model_State.LOADED:
      return { word: 'Loaded', tone: 'good' };
    case Model_State.CORRUPT:
      return { word: 'Damaged', tone: 'bad' };
    default:
      return { word: 'Not installed', tone: 'none' };
  }
}

/** "2.2 GB, 7.9 GB with its parts; takes 4.5 GB of memory; up to 1 min 35 s" */
export function modelFacts(model: Model, parts: readonly Model[]): string {
  const own = Number(model.sizeBytes);
  const all = parts.reduce((sum, part) => sum + Number(part.sizeBytes), own);
  const facts: string[] = [];
  if (own > 0) facts.push(sizeWords(own) + (all > own ? `, ${sizeWords(all)} with its parts` : ''));
  const memory = Number(model.memoryBytes);
  if (memory > 0) facts.push(`takes ${sizeWords(memory)} of memory`);
  if (model.maxDurationSeconds > 0) {
    facts.push(`makes up to ${lengthWords(model.maxDurationSeconds)}`);
  }
  return facts.join('; ');
}

/** What is still to be fetched: "5.7 GB to fetch, 2.2 GB are here already"; empty if nothing is. */
export function fetchWords(model: Model, parts: readonly Model[]): string {
  const all = [model, ...parts];
  const left = all
    .filter((one) => !isInstalled(one) || one === model)
    .reduce((sum, one) => sum + Math.max(0, Number(one.sizeBytes - one.installedBytes)), 0);
  const here = all.reduce((sum, one) => sum + Number(one.installedBytes), 0);
  if (left === 0) return '';
  const said = `${sizeWords(left)} to fetch`;
  return here > 0 ? `${said}, ${sizeWords(here)} are here already` : said;
}

/** "CUDA, 80.0 GB, computes in bfloat16" */
export function deviceFacts(device: Device): string {
  const facts: string[] = [];
  const memory = Number(device.memoryBytes);
  if (memory > 0) facts.push(`${sizeWords(memory)} of memory`);
  facts.push(HALF_WORDS[device.half]);
  return facts.filter((fact) => fact !== '').join(', ');
}

const HALF_WORDS: Record<Device_Half, string> = {
  [Device_Half.UNSPECIFIED]: '',
  [Device_Half.NONE]: 'full precision only',
  [Device_Half.FP16]: 'half precision (float16)',
  [Device_Half.BF16]: 'half precision (bfloat16)',
};
