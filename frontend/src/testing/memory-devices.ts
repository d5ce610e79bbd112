import { create } from '@bufbuild/protobuf';
import { Code } from '@connectrpc/connect';
import {
  type Device,
  Device_Half,
  Device_Kind,
  DeviceSchema,
} from '@/gen/musicgen/api/inference/v1/device_pb';
import { studioError } from './memory-errors';

const CARD = create(DeviceSchema, {
  deviceId: 'cuda:0',
  kind: Device_Kind.CUDA,
  name: 'NVIDIA GeForce RTX 4070',
  memoryBytes: 12_000_000_000n,
  half: Device_Half.BF16,
});

const PROCESSOR = create(DeviceSchema, {
  deviceId: 'cpu',
  kind: Device_Kind.CPU,
  name: 'AMD Ryzen 7 5800X',
  memoryBytes: 32_000_000_000n,
  half: Device_Half.NONE,
});

/** What can be computed on in memory, with the real one's rules for what is chosen. */
export class MemoryDevices {
  devices: readonly Device[] = [CARD, PROCESSOR];
  choice = 'auto';
  trouble = '';

  list() {
    const wanted = this.choice === 'auto' ? this.devices[0]?.deviceId : this.choice;
    const devices = this.devices.map((device) => ({
      ...device,
      chosen: this.trouble === '' && device.deviceId === wanted,
    }));
    return { devices, choice: this.choice, trouble: this.trouble };
  }

  select(deviceId: string) {
    const known = this.devices.some((device) => device.deviceId === deviceId);
    if (!known && deviceId !== 'auto') {
      const remedy = 'Choose one that is listed.';
      throw studioError(Code.NotFound, 'DEVICE_NOT_FOUND', `There is no ${deviceId}.`, remedy);
    }
    this.choice = deviceId;
    this.trouble = '';
    const { devices, choice } = this.list();
    return { devices, choice };
  }
}
