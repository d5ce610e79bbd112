import { Code, ConnectError } from '@connectrpc/connect';
import {
  BadRequestSchema,
  ErrorInfoSchema,
  HelpSchema,
  LocalizedMessageSchema,
} from '@/gen/google/rpc/error_details_pb';

/** An error with the details that the studio's services send. */
export function studioError(
  code: Code,
  reason: string,
  message: string,
  remedy = '',
  fields: Record<string, string> = {},
): ConnectError {
  const violations = Object.entries(fields).map(([field, description]) => ({ field, description }));
  return new ConnectError(message, code, undefined, [
    { desc: ErrorInfoSchema, value: { reason, domain: 'musicgen.local' } },
    { desc: LocalizedMessageSchema, value: { locale: 'en', message } },
    ...(remedy === ''
      ? []
      : [{ desc: HelpSchema, value: { links: [{ description: remedy, url: '' }] } }]),
    ...(violations.length === 0
      ? []
      : [{ desc: BadRequestSchema, value: { fieldViolations: violations } }]),
  ]);
}

export function invalidField(field: string, message: string): ConnectError {
  const remedy = 'Correct what is named and ask again.';
  return studioError(Code.InvalidArgument, 'INVALID_FIELD', message, remedy, { [field]: message });
}
