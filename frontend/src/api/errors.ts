import { Code, ConnectError } from '@connectrpc/connect';
import {
  BadRequestSchema,
  ErrorInfoSchema,
  HelpSchema,
  LocalizedMessageSchema,
} from '@/gen/google/rpc/error_details_pb';
import type { Error as JobError } from '@/gen/musicgen/api/errors/v1/error_pb';
import { ErrorReason } from '@/gen/musicgen/api/errors/v1/error_reason_pb';

/** What went wrong, in words that can be shown. */
export interface ApiError {
  /** Machine-readable reason such as "INVALID_PROMPT"; empty if the server named none. */
  readonly reason: string;
  /** One sentence: what happened. */
  readonly message: string;
  /** One sentence: what to do about it; may be empty. */
  readonly remedy: string;
  /** Field path of the request → what is wrong with it. */
  readonly fields: Readonly<Record<string, string>>;
}

/** No part of the studio answers. */
export const UNREACHABLE: ApiError = {
  reason: 'UNREACHABLE',
  message: 'The studio does not answer.',
  remedy: 'Check that it is running (“musicgen up”), then try again.',
  fields: {},
};

const UNEXPLAINED = 'Try again. If it stays so, “musicgen doctor” looks for the cause.';

/** Reasons that are about one field even when the server sends no BadRequest. */
const FIELD_OF_REASON: Readonly<Record<string, string>> = {
  INVALID_PROMPT: 'prompt',
  INVALID_LYRICS: 'lyrics',
  MODEL_NOT_FOUND: 'engine',
  MODEL_NOT_INSTALLED: 'engine',
};

/** Reads whatever a call threw: google.rpc details if there are any. */
export function readError(thrown: unknown): ApiError {
  const error = ConnectError.from(thrown);
  const info = error.findDetails(ErrorInfoSchema)[0];
  if (info === undefined && isUnreachable(error)) return UNREACHABLE;
  const reason = info?.reason ?? '';
  const message =
    error.findDetails(LocalizedMessageSchema)[0]?.message ?? sentence(error.rawMessage);
  const help =
    error.findDetails(HelpSchema)[0]?.links[0]?.description ??
    (info === undefined ? UNEXPLAINED : '');
  const fields: Record<string, string> = {};
  for (const bad of error.findDetails(BadRequestSchema)) {
    for (const violation of bad.fieldViolations) fields[violation.field] = violation.description;
  }
  const implied = FIELD_OF_REASON[reason];
  if (implied !== undefined && Object.keys(fields).length === 0) fields[implied] = message;
  // "Correct what is named" is for callers; in a form each field says what it wants.
  const named = reason === 'INVALID_FIELD' && Object.keys(fields).length > 0;
  return { reason, message, remedy: named ? '' : help, fields };
}

/** Fields of the request that made accepted work fail are facts under this prefix. */
const FIELD_FACT = 'field:';

/** Reads why accepted work failed. */
export function readJobError(error: JobError | undefined): ApiError {
  const facts = Object.entries(error?.metadata ?? {});
  const fields = facts
    .filter(([name]) => name.startsWith(FIELD_FACT))
    .map(([name, fault]) => [name.slice(FIELD_FACT.length), fault]);
  return {
    reason: ErrorReason[error?.reason ?? ErrorReason.UNSPECIFIED],
    message: error?.message || 'The work failed.',
    remedy: fields.length > 0 ? '' : (error?.remedy ?? ''),
    fields: Object.fromEntries(fields),
  };
}

/** What a status says that comes without a reason, as a proxy's does. */
const BY_STATUS: Readonly<Record<number, readonly [string, string, string]>> = {
  401: ['UNAUTHENTICATED', 'The studio asks for a key.', 'Give it one, or turn its keys off.'],
  413: ['MESSAGE_TOO_LARGE', 'The file is larger than the studio takes.', 'Use a smaller one.'],
  507: ['DISK_FULL', 'The studio’s disk is full.', 'Free some space on it, then try again.'],
};

/** Reads a refusal of the HTTP side: google.rpc.Status as JSON if the studio itself answered. */
export function readHttpError(status: number, body: string): ApiError {
  const [reason, message, remedy] = BY_STATUS[status] ?? [
    '',
    `The studio answered ${status}.`,
    UNEXPLAINED,
  ];
  const plain: ApiError = { reason, message, remedy, fields: {} };
  try {
    const told = JSON.parse(body) as HttpStatus;
    const info = told.details.find((detail) => detail['@type'].endsWith('.ErrorInfo'));
    if (info?.reason === undefined) return plain;
    const violations = told.details.flatMap((detail) => detail.field_violations ?? []);
    return {
      reason: info.reason,
      message: sentence(told.message),
      remedy: info.metadata?.remedy ?? '',
      fields: Object.fromEntries(violations.map((fault) => [fault.field, fault.description])),
    };
  } catch {
    return plain; // it is not the studio's
  }
}

interface HttpStatus {
  readonly message: string;
  readonly details: readonly {
    readonly '@type': string;
    readonly reason?: string;
    readonly metadata?: Readonly<Record<string, string>>;
    readonly field_violations?: readonly { readonly field: string; readonly description: string }[];
  }[];
}

/** An error found on this side, in the shape of one from the server. */
export function localFieldError(field: string, message: string, remedy: string): ApiError {
  return { reason: 'INVALID_FIELD', message, remedy, fields: { [field]: message } };
}

/**
 * What is wrong with a field, whatever message it sits in: "prompt" finds
 * "spec.generate.parameters.prompt" too.
 */
export function fieldMessage(error: ApiError | null, field: string): string | undefined {
  if (error === null) return undefined;
  for (const [path, message] of Object.entries(error.fields)) {
    if (lastName(path) === field) return sentence(message);
  }
  return undefined;
}

/** The error once a field was touched again: what was said of that field holds no more. */
export function withoutField(error: ApiError | null, field: string): ApiError | null {
  if (error === null) return null;
  const all = Object.entries(error.fields);
  const others = all.filter(([path]) => lastName(path) !== field);
  if (others.length === all.length) return error;
  return others.length === 0 ? null : { ...error, fields: Object.fromEntries(others) };
}

/** "spec.generate.parameters.tags[2]" is about "tags". */
function lastName(path: string): string | undefined {
  return path
    .replace(/\[\d+\]$/, '')
    .split('.')
    .at(-1);
}

/** The services say "is empty", "must be …" of a field; below its label that is a sentence. */
export function sentence(text: string): string {
  const told = withoutSchemaWords(text);
  const it = /^(is|has|must|can|may|does|needs|holds)\b/.test(told);
  const they = /^(are|have|last|need)\b/.test(told);
  const whole = it ? `It ${told}` : they ? `They ${told}` : told;
  const started = whole.charAt(0).toUpperCase() + whole.slice(1);
  return /[.!?…]$/.test(started) ? started : `${started}.`;
}

/** Whether all that the error says about fields is said by one of these. */
export function isCoveredBy(error: ApiError | null, fields: readonly string[]): boolean {
  if (error === null) return false;
  return fields.some((field) => fieldMessage(error, field) !== undefined);
}

const NOT_VALID = 'is not valid: ';

/** What a JSON Schema found wrong with a value, and how people say that. */
const SCHEMA_WORDS: readonly (readonly [RegExp, string])[] = [
  [/is less than the minimum of (\S+?)(?:\.0)?$/, 'must be at least $1'],
  [/is greater than the maximum of (\S+?)(?:\.0)?$/, 'must be at most $1'],
  [/is less than or equal to the minimum of (\S+?)(?:\.0)?$/, 'must be more than $1'],
  [/is greater than or equal to the maximum of (\S+?)(?:\.0)?$/, 'must be less than $1'],
  [/^'([^']*)' is not one of \[/, 'can’t be “$1”: choose another'],
  [/ is not one of \[/, 'is none of the possible choices'],
  [/ is not of type 'integer'$/, 'must be a whole number'],
  [/ is not of type 'number'$/, 'must be a number'],
  [/ is not of type 'string'$/, 'must be a text'],
  [/ is not of type 'boolean'$/, 'must be true or false'],
  [/^\[.* is too long$/s, 'has too many entries'],
  [/^\[.* is too short$/s, 'has too few entries'],
  [/ is too long$/s, 'is too long'],
  [/ is too short$/s, 'is too short'],
  [/ should be non-empty$/, 'must not be empty'],
];

/** "is not valid: 0 is less than the minimum of 1" → "must be at least 1". */
function withoutSchemaWords(text: string): string {
  if (!text.startsWith(NOT_VALID)) return text;
  const found = text.slice(NOT_VALID.length);
  for (const [pattern, words] of SCHEMA_WORDS) {
    const match = pattern.exec(found);
    if (match !== null) return words.replace('$1', () => match[1] ?? '');
  }
  // A value told at length is of no help.
  return /^[[{]/.test(found) ? 'is not valid' : text;
}

function isUnreachable(error: ConnectError): boolean {
  // fetch() says "failed to fetch" in as many ways as there are browsers.
  return error.code === Code.Unavailable || error.cause instanceof TypeError;
}
