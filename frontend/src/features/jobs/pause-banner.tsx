import { useClients } from '@/api/clients';
import { type Call, useCall } from '@/calls/use-call';
import { Button } from '@/ui/button';
import { ErrorNote } from '@/ui/error-note';
import { takeLostFocus } from '@/ui/focus';
import { PauseIcon } from '@/ui/icons';
import { ALL_QUEUES } from '@/watch/fold';
import { queueWords } from './job-words';

/** Says which queues are paused, and lets them go on. */
export function PauseBanner(props: {
  pausedQueues: ReadonlySet<string>;
  waiting: number;
  /** What pauses all, and lets all go on. */
  call: Call;
}) {
  const all = props.pausedQueues.has(ALL_QUEUES);
  const queues = [...props.pausedQueues].filter((queue) => queue !== ALL_QUEUES).sort();
  return (
    <>
      {all && (
        <Paused
          queue={ALL_QUEUES}
          call={props.call}
          title="The queue is paused"
          words={`What is at work goes on${props.waiting > 0 ? `; ${props.waiting} ${props.waiting === 1 ? 'waits' : 'wait'} until you resume` : '; nothing new starts until you resume'}.`}
        />
      )}
      {queues.map((queue) => (
        <PausedQueue key={queue} queue={queue} />
      ))}
    </>
  );
}

/** One that was paused by its own name. */
function PausedQueue(props: { queue: string }) {
  return (
    <Paused
      queue={props.queue}
      call={useCall()}
      title={`Paused: ${queueWords(props.queue)}`}
      words="Its jobs wait until you resume."
    />
  );
}

function Paused(props: { queue: string; call: Call; title: string; words: string }) {
  const { queues } = useClients();
  const { call } = props;
  return (
    <>
      <div
        data-testid="pause-banner"
        data-queue-name={props.queue}
        className="flex flex-wrap items-center gap-x-4 gap-y-2 rounded-xl border border-accent bg-panel px-4 py-3"
      >
        <span className="flex min-w-0 flex-[1_1_16rem] items-center gap-3">
          <span className="text-accent">
            <PauseIcon size={22} />
          </span>
          <span>
            <span className="block font-semibold">{props.title}</span>
            <span className="block text-sm text-muted">{props.words}</span>
          </span>
        </span>
        <Button
          ref={call.asked ? takeLostFocus : undefined}
          data-testid="resume"
          aria-disabled={call.busy}
          aria-label={props.queue === ALL_QUEUES ? undefined : `Resume ${queueWords(props.queue)}`}
          onClick={() => void call.ask(() => queues.resumeQueue({ queue: props.queue }))}
        >
          Resume
        </Button>
      </div>
      {call.error !== null && <ErrorNote message={call.error.message} remedy={call.error.remedy} />}
    </>
  );
}

/** Lets all that waits wait on. */
export function PauseButton(props: { call: Call }) {
  const { queues } = useClients();
  const { call } = props;
  return (
    <Button
      ref={call.asked ? takeLostFocus : undefined}
      look="quiet"
      data-testid="pause"
      aria-disabled={call.busy}
      title="What is at work goes on; nothing new starts"
      onClick={() => void call.ask(() => queues.pauseQueue({ queue: ALL_QUEUES }))}
    >
      <PauseIcon size={14} />
      Pause queue
    </Button>
  );
}
