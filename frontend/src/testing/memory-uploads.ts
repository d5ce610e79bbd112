import { createUploads } from '@/api/uploads';

/** What a file is refused with: google.rpc.Status as JSON; without a reason as by a proxy. */
export interface Refusal {
  readonly status: number;
  readonly reason?: string;
  readonly message?: string;
  readonly remedy?: string;
}

interface Upload {
  bytes: Uint8Array;
  totalBytes: number;
}

const PIECE_BYTES = 50_000;

/** The studio's side of PUT /v1/uploads/{id}, with its rules for ranges, in memory. */
export class MemoryUploads {
  readonly #uploads = new Map<string, Upload>();
  readonly #open = new Set<FakeRequest>();
  #moved: (() => void)[] = [];
  /** Content-Range of each request that came. */
  readonly ranges: string[] = [];
  /** No more than so many bytes of a file arrive until there is room for more. */
  room = Number.POSITIVE_INFINITY;
  /** Nothing answers. */
  down = false;
  /** Answers to the next requests. */
  readonly refuseNext: Refusal[] = [];
  /** How long each piece of a file takes, for those who watch. */
  pieceMs = 0;

  /** The page's side, with requests that come here. */
  readonly port = createUploads(
    () => new FakeRequest((request) => void this.#serve(request)) as unknown as XMLHttpRequest,
  );

  /** The bytes of an upload that is whole. */
  whole(uploadId: string): Uint8Array | undefined {
    const upload = this.#uploads.get(uploadId);
    return upload?.bytes.length === upload?.totalBytes ? upload?.bytes : undefined;
  }

  /** The uploads that something has arrived of. */
  get ids(): readonly string[] {
    return [...this.#uploads.keys()];
  }

  /** Requests that wait for an answer. */
  get openRequests(): number {
    return [...this.#open].filter(({ isOpen }) => isOpen).length;
  }

  /** Lets more of a file arrive. */
  allow(room: number): void {
    this.room = room;
    for (const go of this.#moved.splice(0)) go();
  }

  /** Breaks every connection; what has arrived stays. */
  cut(): void {
    for (const request of this.#open) request.fail();
    this.allow(this.room);
  }

  async #serve(request: FakeRequest): Promise<void> {
    this.ranges.push(request.contentRange.replace('bytes ', ''));
    this.#open.add(request);
    try {
      await Promise.resolve();
      if (this.down) request.fail();
      else await this.#answer(request);
    } finally {
      this.#open.delete(request);
    }
  }

  async #answer(request: FakeRequest): Promise<void> {
    const refusal = this.refuseNext.shift();
    if (refusal !== undefined) {
      request.answer(refusal.status, '', bodyOf(refusal));
      return;
    }
    const [, first, last, total] =
      /^bytes (?:(\d+)-(\d+)|\*)\/(\d+)$/.exec(request.contentRange) ?? [];
    const { uploadId, body } = request;
    const known = this.#uploads.get(uploadId);
    const upload = known ?? { bytes: new Uint8Array(), totalBytes: Number(total) };
    if (first === undefined || body === null) {
      this.#tell(request, upload);
      return;
    }
    if (Number(first) !== upload.bytes.length) {
      request.answer(409, received(upload));
      return;
    }
    this.#uploads.set(uploadId, upload);
    const data = new Uint8Array(await body.arrayBuffer());
    if (data.length !== Number(last) - Number(first) + 1) throw new Error('the range lies');
    let taken = 0;
    while (taken < data.length && request.isOpen) {
      const space = Math.max(0, this.room - upload.bytes.length);
      const piece = data.slice(taken, taken + Math.min(PIECE_BYTES, space));
      if (piece.length === 0) await new Promise<void>((resolve) => this.#moved.push(resolve));
      else if (this.pieceMs > 0) await new Promise((resolve) => setTimeout(resolve, this.pieceMs));
      if (!request.isOpen) return;
      upload.bytes = joined(upload.bytes, piece);
      taken += piece.length;
      request.sent(taken);
    }
    this.#tell(request, upload);
  }

  #tell(request: FakeRequest, upload: Upload): void {
    const whole = upload.bytes.length === upload.totalBytes;
    request.answer(whole ? 201 : 308, whole ? '' : received(upload));
  }
}

function received({ bytes }: Upload): string {
  return bytes.length === 0 ? '' : `bytes=0-${bytes.length - 1}`;
}

function bodyOf({ reason, message = '', remedy = '' }: Refusal): string {
  if (reason === undefined) return '<html></html>';
  const type = 'type.googleapis.com/google.rpc.ErrorInfo';
  const info = { '@type': type, reason, domain: 'musicgen.local', metadata: { remedy } };
  return JSON.stringify({ code: 8, message, details: [info] });
}

function joined(one: Uint8Array, other: Uint8Array): Uint8Array {
  const both = new Uint8Array(one.length + other.length);
  both.set(one);
  both.set(other, one.length);
  return both;
}

/** As much of an XMLHttpRequest as sending files takes. */
class FakeRequest {
  readonly #onSend: (request: FakeRequest) => void;
  readonly upload: { onprogress?: (event: { loaded: number }) => void } = {};
  onload = () => {};
  onerror = () => {};
  onabort = () => {};
  status = 0;
  responseText = '';
  isOpen = false;
  uploadId = '';
  contentRange = '';
  body: Blob | null = null;
  #range = '';

  constructor(onSend: (request: FakeRequest) => void) {
    this.#onSend = onSend;
  }

  open(_method: string, path: string): void {
    this.uploadId = path.replace('/v1/uploads/', '');
  }

  setRequestHeader(name: string, value: string): void {
    if (name === 'Content-Range') this.contentRange = value;
  }

  getResponseHeader(name: string): string | null {
    return name === 'Range' && this.#range !== '' ? this.#range : null;
  }

  send(body: Blob | null): void {
    this.body = body;
    this.isOpen = true;
    this.#onSend(this);
  }

  abort(): void {
    this.#end(() => this.onabort());
  }

  sent(loaded: number): void {
    this.upload.onprogress?.({ loaded });
  }

  fail(): void {
    this.#end(() => this.onerror());
  }

  answer(status: number, range: string, body = ''): void {
    this.#end(() => {
      this.status = status;
      this.#range = range;
      this.responseText = body;
      this.onload();
    });
  }

  #end(tell: () => void): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    tell();
  }
}
