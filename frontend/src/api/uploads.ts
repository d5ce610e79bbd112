import { type ApiError, readHttpError } from './errors';

/*
 * Files to the studio. This is HTTP, not the generated client: a browser can stream nothing to
 * gRPC-Web. PUT /v1/uploads/{id} takes the parts of a file one after the other. It answers 308
 * with a Range of what has arrived, or 201 once that is all; what arrives before a connection
 * breaks is kept. By XMLHttpRequest, since fetch() doesn't tell how much of a body was sent.
 */

/** How much of a file the studio has. */
export interface Arrived {
  readonly bytes: number;
  readonly whole: boolean;
}

/** The bytes [fromByte, toByte) of a file. */
export interface Part {
  readonly uploadId: string;
  readonly file: Blob;
  readonly fromByte: number;
  readonly toByte: number;
}

export interface Uploads {
  /** Asks how much has arrived. Rejects with BrokenOff or Refused, as send() does. */
  arrived(uploadId: string, totalBytes: number, signal: AbortSignal): Promise<Arrived>;
  /** Sends a part, and tells on its way how many of its bytes have left. */
  send(part: Part, signal: AbortSignal, onSent: (bytes: number) => void): Promise<Arrived>;
}

/** There was no answer, or one that says to ask how much has arrived, and to go on there. */
export class BrokenOff extends Error {}

/** The studio doesn't take it; sending it once more is of no use by itself. */
export class Refused extends Error {
  readonly error: ApiError;

  constructor(error: ApiError) {
    super(error.message);
    this.error = error;
  }
}

/** Nothing leaves and nothing comes for so long: the connection is dead. */
const SILENCE_MS = 30_000;

/** To the gateway that served this page. */
export function createUploads(newRequest = () => new XMLHttpRequest()): Uploads {
  return {
    arrived: (uploadId, totalBytes, signal) =>
      put(newRequest(), { uploadId, range: `*/${totalBytes}`, body: null, signal }),
    send: ({ uploadId, file, fromByte, toByte }, signal, onSent) => {
      const range = `${fromByte}-${toByte - 1}/${file.size}`;
      const body = file.slice(fromByte, toByte);
      return put(newRequest(), { uploadId, range, body, signal, onSent });
    },
  };
}

interface Put {
  readonly uploadId: string;
  readonly range: string;
  readonly body: Blob | null;
  readonly signal: AbortSignal;
  readonly onSent?: (bytes: number) => void;
}

function put(request: XMLHttpRequest, { uploadId, range, body, signal, onSent }: Put) {
  return new Promise<Arrived>((resolve, reject) => {
    const stop = () => request.abort();
    let watchdog: ReturnType<typeof setTimeout> | undefined;
    const watch = () => {
      clearTimeout(watchdog);
      watchdog = setTimeout(stop, SILENCE_MS);
    };
    const end = () => {
      clearTimeout(watchdog);
      signal.removeEventListener('abort', stop);
    };
    request.upload.onprogress = ({ loaded }) => {
      watch();
      onSent?.(loaded);
    };
    request.onload = () => {
      end();
      try {
        resolve(readAnswer(request));
      } catch (error) {
        reject(error);
      }
    };
    request.onerror = request.onabort = () => {
      end();
      reject(new BrokenOff('the connection ended early'));
    };
    if (signal.aborted) {
      reject(new BrokenOff('stopped'));
      return;
    }
    request.open('PUT', `/v1/uploads/${uploadId}`);
    request.setRequestHeader('Content-Range', `bytes ${range}`);
    if (body !== null) request.setRequestHeader('Content-Type', 'application/octet-stream');
    signal.addEventListener('abort', stop);
    watch();
    request.send(body);
  });
}

/** Answers of a studio that is starting, or that has another part of the file than we knew. */
const ASK_AGAIN = [0, 409, 502, 503, 504];

function readAnswer(request: XMLHttpRequest): Arrived {
  const { status } = request;
  const range = /^bytes=0-(\d+)$/.exec(request.getResponseHeader('Range') ?? '');
  const bytes = range === null ? 0 : Number(range[1]) + 1;
  if (status === 200 || status === 201) return { bytes, whole: true };
  if (status === 308) return { bytes, whole: false };
  if (ASK_AGAIN.includes(status)) throw new BrokenOff(`the studio answered ${status}`);
  throw new Refused(readHttpError(status, request.responseText));
}
