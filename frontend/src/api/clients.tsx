import { type Client, createClient, type Transport } from '@connectrpc/connect';
import { createContext, type ReactNode, useContext } from 'react';
import { InferenceService } from '@/gen/musicgen/api/inference/v1/inference_service_pb';
import { ModelService } from '@/gen/musicgen/api/inference/v1/model_service_pb';
import { JobService } from '@/gen/musicgen/api/jobs/v1/job_service_pb';
import { QueueService } from '@/gen/musicgen/api/jobs/v1/queue_service_pb';
import { LibraryService } from '@/gen/musicgen/api/library/v1/library_service_pb';
import type { Uploads } from './uploads';

/** The services that the page talks to. */
export interface Clients {
  readonly jobs: Client<typeof JobService>;
  readonly queues: Client<typeof QueueService>;
  readonly library: Client<typeof LibraryService>;
  readonly inference: Client<typeof InferenceService>;
  readonly models: Client<typeof ModelService>;
  readonly uploads: Uploads;
}

export function createClients(transport: Transport, uploads: Uploads): Clients {
  return {
    jobs: createClient(JobService, transport),
    queues: createClient(QueueService, transport),
    library: createClient(LibraryService, transport),
    inference: createClient(InferenceService, transport),
    models: createClient(ModelService, transport),
    uploads,
  };
}

const ClientsContext = createContext<Clients | null>(null);

export function ClientsProvider(props: { clients: Clients; children: ReactNode }) {
  return <ClientsContext value={props.clients}>{props.children}</ClientsContext>;
}

export function useClients(): Clients {
  const clients = useContext(ClientsContext);
  if (clients === null) throw new Error('useClients needs a ClientsProvider above it');
  return clients;
}
