import type { Transport } from '@connectrpc/connect';
import { createGrpcWebTransport } from '@connectrpc/connect-web';
import { traced } from './trace';

/** The gateway that served this page, spoken to in gRPC-Web. */
export function createGatewayTransport(baseUrl: string = window.location.origin): Transport {
  return createGrpcWebTransport({ baseUrl, interceptors: [traced] });
}
