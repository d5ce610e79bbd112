import type { ReactNode } from 'react';

/** What any text-like control looks like. */
export const controlClass =
  'w-full rounded-md border border-edge bg-well px-3 text-ink placeholder:text-muted hover:border-muted aria-invalid:border-bad not-[textarea]:h-10';

/** The attributes that tie a control to its label, hint and error. */
export function fieldProps(id: string, error: string | undefined) {
  return {
    id,
    'aria-invalid': error !== undefined,
    'aria-describedby': error !== undefined ? `${id}-error` : undefined,
  };
}

/** A labelled control with room for what is wrong with it. */
export function Field(props: {
  id: string;
  label: string;
  /** The one question of a form, set larger. */
  leading?: boolean;
  aside?: ReactNode;
  error?: string | undefined;
  remedy?: string | undefined;
  children: ReactNode;
}) {
  return (
    <div className="grid gap-1.5">
      <div className="flex min-h-5 items-baseline justify-between gap-3">
        <label
          htmlFor={props.id}
          className={props.leading ? 'wide text-base font-semibold sm:text-lg' : 'plate'}
        >
          {props.label}
        </label>
        {props.aside}
      </div>
      {props.children}
      {props.error !== undefined && (
        <FieldError id={props.id} message={props.error} remedy={props.remedy} />
      )}
    </div>
  );
}

function FieldError(props: { id: string; message: string; remedy?: string | undefined }) {
  return (
    <div id={`${props.id}-error`} role="alert" className="text-sm wrap-anywhere">
      <p data-testid="field-error" className="font-medium text-bad">
        {props.message}
      </p>
      {props.remedy !== undefined && props.remedy !== '' && (
        <p data-testid="remedy" className="text-muted">
          {props.remedy}
        </p>
      )}
    </div>
  );
}
