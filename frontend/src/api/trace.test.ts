import { createClient, createRouterTransport } from '@connectrpc/connect';
import { describe, expect, it } from 'vitest';
import { JobService } from '@/gen/musicgen/api/jobs/v1/job_service_pb';
import { newTraceparent, traced } from './trace';

describe('a trace', () => {
  it('begins anew with each call, as the header that W3C defines', async () => {
    const sent: (string | null)[] = [];
    const transport = createRouterTransport(
      ({ service }) =>
        service(JobService, {
          listJobs: (_, context) => {
            sent.push(context.requestHeader.get('traceparent'));
            return {};
          },
        }),
      { transport: { interceptors: [traced] } },
    );
    const jobs = createClient(JobService, transport);
    await jobs.listJobs({});
    await jobs.listJobs({});
    expect(sent).toHaveLength(2);
    for (const header of sent) expect(header).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    expect(sent[0]).not.toBe(sent[1]);
    expect(newTraceparent()).not.toContain('-0000000000000000');
  });
});
