import './app/styles.css';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { createGatewayTransport } from './api/transport';
import { createUploads } from './api/uploads';
import { App } from './app/app';
import { createStudio, watchWhileShown } from './app/studio';
import { applyKeptTheme } from './app/theme';
import { browserTabs } from './watch/tabs';

const root = document.getElementById('root');
const audio = document.createElement('audio');
const spareAudio = document.createElement('audio');
if (root === null) throw new Error('index.html has no #root');
document.body.append(audio, spareAudio);

applyKeptTheme();
const studio = createStudio({
  transport: createGatewayTransport(),
  uploads: createUploads(),
  tabs: browserTabs(),
  audio,
  spareAudio,
});
watchWhileShown(studio.hub);
createRoot(root).render(
  <StrictMode>
    <App studio={studio} />
  </StrictMode>,
);
