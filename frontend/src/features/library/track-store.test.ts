import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { describe, expect, it, vi } from 'vitest';
import { createClients } from '@/api/clients';
import { AudioFormat } from '@/gen/musicgen/api/audio/v1/audio_pb';
import { Job_State, JobSchema } from '@/gen/musicgen/api/jobs/v1/job_pb';
import { createMemoryStudio } from '@/testing/memory-studio';
import { JobsStore } from '@/watch/jobs-store';
import { Downloads, newestExport, saveByLink } from './downloads';
import { buildEdit, draftOf, typedOver } from './tag-edit';
import { TrackStore } from './track-store';
import { creditWords, factWords } from './track-words';

function furnished(count = 0) {
  const studio = createMemoryStudio();
  for (let index = 1; index <= count; index += 1) {
    studio.library.add({ trackId: `t${index}`, title: `Song ${index}` });
  }
  return {
    studio,
    store: new TrackStore(createClients(studio.transport, studio.uploads.port).library),
  };
}

describe('the tracks', () => {
  it('are fetched once, however many ask', async () => {
    const { studio, store } = furnished(1);
    store.ensure('t1');
    store.ensure('t1');
    expect(store.entry('t1').state).toBe('loading');
    await vi.waitFor(() => expect(store.entry('t1').state).toBe('ready'));
    store.ensure('t1');
    expect(studio.library.gets).toEqual(['t1']);
  });

  it('can be missing', async () => {
    const { store } = furnished();
    store.ensure('t9');
    await vi.waitFor(() => expect(store.entry('t9').state).toBe('missing'));
  });

  it('come in pages, newest first', async () => {
    const { store } = furnished(40);
    await store.search('');
    expect(store.page.trackIds).toHaveLength(30);
    expect(store.page.trackIds[0]).toBe('t40');
    await store.more();
    expect(store.page.trackIds).toHaveLength(40);
    expect(store.page.nextPageToken).toBe('');
    await store.more();
    expect(store.page.trackIds).toHaveLength(40);
  });

  it('of an overtaken search are dropped', async () => {
    const { store } = furnished(12);
    await Promise.all([store.search('song 1'), store.search('song 2')]);
    expect(store.page.trackIds).toEqual(['t2']);
  });

  it('that are new go to the head of the list, but not into a search', async () => {
    const { studio, store } = furnished(2);
    await store.search('');
    studio.library.add({ trackId: 't3', title: 'New' });
    await store.addNew('t3');
    await store.addNew('t3');
    expect(store.page.trackIds).toEqual(['t3', 't2', 't1']);
    await store.addNew('gone');
    expect(store.page.trackIds).not.toContain('gone');
    store.drop('t2');
    expect(store.page.trackIds).toEqual(['t3', 't1']);
    await store.search('song 1');
    studio.library.add({ trackId: 't4' });
    await store.addNew('t4');
    expect(store.page.trackIds).toEqual(['t1']);
  });
});

describe('an edit of tags', () => {
  const { studio } = furnished(1);
  const track = studio.library.add({ trackId: 'e', title: 'Old', year: 2024, tags: ['a'] });

  it('names only what was changed', () => {
    const edit = buildEdit(track, { ...draftOf(track), tags: 'a, b ,, c', year: '' });
    if (!('request' in edit)) throw new Error('no request');
    expect(edit.request.updateMask?.paths).toEqual(['year', 'tags']);
    expect(edit.request.track).toMatchObject({ trackId: 'e', etag: '1', tags: ['a', 'b', 'c'] });
    expect(edit.request.track?.year).toBeUndefined();
  });

  it('is none when nothing changed, and an error for a year in words', () => {
    expect(buildEdit(track, draftOf(track))).toEqual({ nothing: true });
    expect(buildEdit(track, { ...draftOf(track), year: 'soon' })).toHaveProperty('error');
    expect(typedOver(track, { ...draftOf(track), title: 'New' })).toEqual({ title: 'New' });
  });
});

describe('downloads', () => {
  const exportJob = (jobId: string, state: Job_State, createdMs = 1_000) =>
    create(JobSchema, {
      jobId,
      rev: BigInt(state),
      state,
      createTime: timestampFromMs(createdMs),
      spec: { kind: { case: 'export', value: { trackId: 't1', format: AudioFormat.MP3 } } },
      result: { downloads: [{ path: '/v1/artifacts/a', fileName: 'Rain.mp3' }] },
    });

  it('are saved by themselves, once, when they were asked for on this page', () => {
    const jobs = new JobsStore();
    const save = vi.fn();
    const downloads = new Downloads(jobs, save);
    jobs.merge(exportJob('old', Job_State.SUCCEEDED));
    jobs.merge(exportJob('mine', Job_State.RUNNING));
    downloads.expect('mine');
    expect(save).not.toHaveBeenCalled();
    jobs.merge(exportJob('mine', Job_State.SUCCEEDED));
    jobs.merge(exportJob('other', Job_State.SUCCEEDED));
    expect(save.mock.calls).toEqual([['/v1/artifacts/a', 'Rain.mp3']]);
    downloads.expect('lost');
    jobs.merge(exportJob('lost', Job_State.FAILED));
    expect(save).toHaveBeenCalledOnce();
  });

  it('with tags that were edited since are not offered', () => {
    const { studio } = furnished(1);
    const jobs = new JobsStore();
    jobs.merge(exportJob('a', Job_State.SUCCEEDED, 1_000));
    const track = studio.library.track('t1');
    expect(newestExport(jobs.view, track, AudioFormat.MP3)?.jobId).toBe('a');
    expect(newestExport(jobs.view, track, AudioFormat.WAV)).toBeUndefined();
    const edited = { ...track, updateTime: timestampFromMs(2_000) };
    expect(newestExport(jobs.view, edited, AudioFormat.MP3)).toBeUndefined();
    jobs.merge(exportJob('b', Job_State.RUNNING, 3_000));
    expect(newestExport(jobs.view, edited, AudioFormat.MP3)?.jobId).toBe('b');
  });

  it('go by a link that leaves nothing behind', () => {
    const clicked: string[] = [];
    const watch = (event: Event) => {
      event.preventDefault();
      const link = event.target as HTMLAnchorElement;
      clicked.push(`${link.getAttribute('href')} ${link.download}`);
    };
    document.addEventListener('click', watch);
    saveByLink('/v1/artifacts/a', 'Rain.mp3');
    document.removeEventListener('click', watch);
    expect(clicked).toEqual(['/v1/artifacts/a Rain.mp3']);
    expect(document.querySelector('a')).toBeNull();
  });
});

describe('words about a track', () => {
  it('say what is known and nothing else', () => {
    const { studio } = furnished();
    const bare = studio.library.add({ trackId: 'a' }, 90);
    expect(creditWords(bare)).toBe('');
    expect(factWords(bare)).toBe('1 min 30 s');
    const full = {
      artist: 'Ada',
      genre: 'Lofi',
      year: 2026,
      tempoBpm: 82.04,
      musicalKey: 'A minor',
    };
    const track = studio.library.add({ trackId: 'b', ...full, recipe: { seed: 7 } }, 60);
    expect(creditWords(track)).toBe('Ada, Lofi, 2026');
    expect(factWords(track)).toBe('1 min, 82 bpm, A minor, seed 7');
  });
});
