import { type ApiError, fieldMessage, localFieldError, readJobError } from '@/api/errors';
import { type Job, Job_State } from '@/gen/musicgen/api/jobs/v1/job_pb';
import type { Draft } from './draft';

export const STYLE = 'style_audio';

/** Reasons that can only be about the music of the style: the form names no other. */
const ABOUT_MUSIC = ['INVALID_AUDIO', 'TRACK_NOT_FOUND', 'UPLOAD_NOT_FOUND'];

/** A refusal, told at the field of the style where it is about that. */
export function withStyleNamed(error: ApiError, draft: Draft): ApiError {
  if (draft.styleFrom === 'file' && error.reason === 'UPLOAD_NOT_FOUND') {
    const name = draft.styleFile?.name ?? '';
    const gone = `The studio doesn’t have “${name}” any more.`;
    return localFieldError(STYLE, gone, 'Choose the file again.');
  }
  const named = Object.keys(error.fields).length > 0;
  if (named || !ABOUT_MUSIC.includes(error.reason)) return error;
  return { ...error, fields: { [STYLE]: error.message } };
}

/** Why the work on a job failed, if that is about its style: an engine hears it only then. */
export function styleFault(job: Job | undefined): ApiError | null {
  if (job?.state !== Job_State.FAILED) return null;
  const error = readJobError(job.error);
  if (fieldMessage(error, STYLE) === undefined) return null;
  if (error.reason === 'INVALID_FIELD') return error;
  // The message tells all; what is said of the field is a part of it.
  return { ...error, remedy: job.error?.remedy ?? '', fields: { [STYLE]: error.message } };
}

/** What is said to those who can't wait. */
export function notThereYet(fileName: string): ApiError {
  const remedy = 'Make the track as soon as it is there.';
  return localFieldError(STYLE, `“${fileName}” is not uploaded yet.`, remedy);
}
