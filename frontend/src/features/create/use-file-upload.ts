import { useEffect, useEffectEvent, useState, useSyncExternalStore } from 'react';
import { useClients } from '@/api/clients';
import type { ApiError } from '@/api/errors';
import { useOnLive } from '@/watch/react';
import type { StyleFile } from './draft';
import { FileUpload, faultOf, type UploadState } from './file-upload';

export interface Uploading {
  /** The file that is on its way; null if none is. */
  readonly file: File | null;
  readonly state: UploadState;
  /** What is wrong with it, or with one that wasn't sent for that. */
  readonly error: ApiError | null;
  readonly choose: (file: File) => void;
  readonly goOn: () => void;
  readonly cancel: () => void;
}

const IDLE: UploadState = { phase: 'stopped', sentBytes: 0, error: null };

/** Uploads a file as soon as it is chosen; one at a time, the last one counts. */
export function useFileUpload(onDone: (file: StyleFile) => void): Uploading {
  const { uploads } = useClients();
  const [upload, setUpload] = useState<FileUpload | null>(null);
  const [fault, setFault] = useState<ApiError | null>(null);
  const state = useSyncExternalStore(
    (listener) => upload?.subscribe(listener) ?? (() => {}),
    () => upload?.state ?? IDLE,
  );
  useEffect(() => {
    upload?.start();
    return () => upload?.stop();
  }, [upload]);

  const finish = useEffectEvent(() => {
    if (upload === null) return;
    const { uploadId, file } = upload;
    onDone({ uploadId, name: file.name, sizeBytes: file.size });
    setUpload(null);
  });
  const done = state.phase === 'done';
  useEffect(() => {
    if (done) finish();
  }, [done]);
  useOnLive(() => {
    if (state.phase === 'waiting' || state.error?.reason === 'UNREACHABLE') upload?.start();
  });

  return {
    file: upload?.file ?? null,
    state,
    error: state.error ?? fault,
    choose: (file) => {
      const found = faultOf(file);
      setFault(found);
      setUpload(found === null ? new FileUpload(file, uploads) : null);
    },
    goOn: () => upload?.start(),
    cancel: () => {
      setFault(null);
      setUpload(null);
    },
  };
}
