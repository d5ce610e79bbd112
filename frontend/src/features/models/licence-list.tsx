import type { LicenceOf } from './licences';

/** What each licence says, and above all what it means for the tracks. */
export function LicenceList(props: { licences: readonly LicenceOf[] }) {
  return (
    <ul aria-label="Licences" className="grid grid-cols-1 gap-3">
      {props.licences.map(({ licence, models }) => (
        <li
          key={licence.licenceId}
          data-testid="licence"
          className="grid grid-cols-1 gap-1 border-l-2 border-edge pl-3 text-sm"
        >
          <p className="flex flex-wrap items-baseline gap-x-2">
            <a
              href={licence.url}
              target="_blank"
              rel="noreferrer"
              className="rounded font-semibold underline decoration-edge underline-offset-3 hover:decoration-ink"
            >
              {licence.title}
            </a>
            {licence.nonCommercial && <NonCommercial />}
          </p>
          <p data-testid="licence-meaning" className="max-w-prose">
            <span className="font-medium">For your tracks: </span>
            {licence.meaningForTracks}
          </p>
          <p className="max-w-prose text-muted">{licence.summary}</p>
          <p className="text-muted">
            For {models.map((model) => model.displayName || model.name).join(', ')}
          </p>
        </li>
      ))}
    </ul>
  );
}

export function NonCommercial() {
  return (
    <span
      data-testid="non-commercial"
      className="rounded-full border border-bad/60 px-2 text-xs font-medium whitespace-nowrap text-bad"
    >
      Not for commercial use
    </span>
  );
}
