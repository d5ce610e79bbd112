import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import type { Track } from '@/gen/musicgen/api/library/v1/track_pb';

const PROCESSOR = 'cpu';

/** How an engine made do with the memory that there was, in words. "full" needs none. */
const RUNGS: Readonly<Record<string, string>> = {
  chunked: 'made into sound stretch by stretch to save memory',
  'in-turn': 'made with its parts in memory one after the other',
  half: 'made with the weights in half precision to save memory',
  cpu: 'made on the processor, since the card’s memory was too small',
};

const PRECISIONS: Readonly<Record<string, string>> = {
  fp32: 'full precision',
  float32: 'full precision',
  fp16: 'half precision (float16)',
  float16: 'half precision (float16)',
  bf16: 'half precision (bfloat16)',
  bfloat16: 'half precision (bfloat16)',
};

/** "Model diffrhythm-1.2-base on cuda, half precision (float16); made stretch by stretch …" */
export function madeWords(track: Track): string {
  const { recipe } = track;
  if (typeof recipe?.engine !== 'string') return '';
  const decisions = isObject(recipe.decisions) ? recipe.decisions : {};
  const [model, device] = [textOf(decisions.model), textOf(decisions.device)];
  const precision = textOf(decisions.precision);
  const where = [
    model === '' ? '' : `model ${model}`,
    device === '' ? '' : `on ${device === PROCESSOR ? 'the processor' : device}`,
  ].filter((word) => word !== '');
  const facts = [where.join(' '), PRECISIONS[precision] ?? precision].filter((one) => one !== '');
  const made = rungWords(textOf(recipe.rung), device);
  const words = [facts.join(', '), made].filter((part) => part !== '').join('; ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function rungWords(rung: string, device: string): string {
  if (rung === '' || rung === 'full') return '';
  if (rung === 'offload') {
    return device === PROCESSOR || device === ''
      ? 'made with the weights on disk to save memory'
      : 'made with the weights outside the card to save its memory';
  }
  return RUNGS[rung] ?? `memory: ${rung}`;
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : '';
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
