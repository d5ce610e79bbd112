import type { Licence, Model } from '@/gen/musicgen/api/inference/v1/model_pb';

/** A licence, and what of an install is under it. */
export interface LicenceOf {
  readonly licence: Licence;
  readonly models: readonly Model[];
  /** Whether it has to be accepted before that is installed. */
  readonly open: boolean;
}

/** The models that are installed with one, as far as they are known. */
export function partsOf(model: Model, all: readonly Model[]): Model[] {
  return model.needs.flatMap((name) => all.find((one) => one.name === name) ?? []);
}

/** Each distinct licence of these models: first what restricts, then what is free. */
export function licencesOf(models: readonly Model[]): LicenceOf[] {
  const found = new Map<string, { licence: Licence; models: Model[]; open: boolean }>();
  for (const model of models) {
    if (model.licence === undefined) continue;
    const { licence } = model;
    const known = found.get(licence.licenceId) ?? { licence, models: [], open: false };
    known.models.push(model);
    known.open ||= licence.mustAccept && !model.licenceAccepted;
    found.set(licence.licenceId, known);
  }
  return [...found.values()].sort((a, b) => weight(b.licence) - weight(a.licence));
}

function weight(licence: Licence): number {
  return (licence.nonCommercial ? 2 : 0) + (licence.mustAccept ? 1 : 0);
}
