import { type FormEvent, useState } from 'react';
import { useClients } from '@/api/clients';
import { fieldMessage, isCoveredBy, readError, withoutField } from '@/api/errors';
import type { Track } from '@/gen/musicgen/api/library/v1/track_pb';
import { Button } from '@/ui/button';
import { ErrorNote } from '@/ui/error-note';
import { controlClass, Field, fieldProps } from '@/ui/field';
import { useCallError } from '@/watch/use-call-error';
import { buildEdit, draftOf, type TagDraft, typedOver } from './tag-edit';
import { useTrackStore } from './track-context';

const FIELDS: readonly { name: keyof TagDraft; label: string; wide?: boolean; hint?: string }[] = [
  { name: 'title', label: 'Title', wide: true },
  { name: 'artist', label: 'Artist' },
  { name: 'album', label: 'Album' },
  { name: 'genre', label: 'Genre' },
  { name: 'year', label: 'Year' },
  { name: 'tags', label: 'Tags', wide: true, hint: 'rain, study, night' },
];

/** Edits a track's tags, in the library and in the file itself. */
export function TagForm(props: { track: Track; onDone: () => void }) {
  const { track, onDone } = props;
  const { library } = useClients();
  const store = useTrackStore();
  const [draft, setDraft] = useState(() => draftOf(track));
  const [error, setError] = useCallError();
  const [busy, setBusy] = useState(false);

  const save = async (event: FormEvent) => {
    event.preventDefault();
    const edit = buildEdit(track, draft);
    if ('nothing' in edit) return onDone();
    if ('error' in edit) return setError(edit.error);
    setBusy(true);
    setError(null);
    try {
      const answer = await library.updateTrack(edit.request);
      if (answer.track !== undefined) store.put(answer.track);
      onDone();
    } catch (thrown) {
      setError(readError(thrown));
    } finally {
      setBusy(false);
    }
  };
  const readAgain = async () => {
    await store.reload(track.trackId);
    const now = store.entry(track.trackId);
    if (now.state !== 'ready') return;
    // Only what was typed here is kept over what somebody else wrote meanwhile.
    setDraft({ ...draftOf(now.track), ...typedOver(track, draft) });
    setError(null);
  };
  const shown = FIELDS.map((field) => field.name);
  return (
    <form
      data-testid="tag-form"
      aria-label={`Tags of ${track.title}`}
      className="grid grid-cols-1 gap-3 rounded-lg border border-line p-3 sm:grid-cols-2"
      noValidate
      onSubmit={(event) => void save(event)}
      onKeyDown={(event) => event.key === 'Escape' && onDone()}
    >
      {FIELDS.map(({ name, label, wide, hint }) => {
        const id = `${name}-${track.trackId}`;
        const message = fieldMessage(error, name);
        return (
          <div key={name} className={wide ? 'sm:col-span-2' : ''}>
            <Field id={id} label={label} error={message} remedy={error?.remedy}>
              <input
                {...fieldProps(id, message)}
                data-testid={`tag-${name}`}
                className={controlClass}
                dir="auto"
                autoComplete="off"
                inputMode={name === 'year' ? 'numeric' : 'text'}
                placeholder={hint}
                value={draft[name]}
                onChange={(event) => {
                  setDraft({ ...draft, [name]: event.target.value });
                  setError(withoutField(error, name));
                }}
              />
            </Field>
          </div>
        );
      })}
      {error !== null && !isCoveredBy(error, shown) && (
        <div className="sm:col-span-2">
          <ErrorNote message={error.message} remedy={error.remedy}>
            {error.reason === 'EDIT_CONFLICT' && (
              <Button onClick={() => void readAgain()}>Keep my words, read the track again</Button>
            )}
          </ErrorNote>
        </div>
      )}
      <div className="flex gap-2 sm:col-span-2">
        <Button type="submit" data-testid="save-tags" disabled={busy}>
          {busy ? 'Saving…' : 'Save tags'}
        </Button>
        <Button look="quiet" onClick={onDone}>
          Close
        </Button>
      </div>
    </form>
  );
}
