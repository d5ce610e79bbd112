import type { ReactNode } from 'react';

/** What went wrong and what to do about it, where no single field is to blame. */
export function ErrorNote(props: { message: string; remedy?: string; children?: ReactNode }) {
  return (
    <div role="alert" className="rounded-md border border-bad/50 px-3 py-2.5 text-sm wrap-anywhere">
      <p data-testid="error-message" className="font-medium text-bad">
        {props.message}
      </p>
      {props.remedy !== undefined && props.remedy !== '' && (
        <p data-testid="remedy" className="mt-0.5 text-ink">
          {props.remedy}
        </p>
      )}
      {props.children !== undefined && (
        <div className="mt-2.5 flex flex-wrap gap-2">{props.children}</div>
      )}
    </div>
  );
}
