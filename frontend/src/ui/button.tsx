import type { ComponentProps } from 'react';

type Look = 'primary' | 'plain' | 'quiet';

const LOOKS: Record<Look, string> = {
  primary:
    'bg-accent text-on-accent hover:brightness-110 active:translate-y-px px-5 py-2.5 font-semibold',
  plain: 'border border-line bg-well text-ink hover:border-edge px-3 py-1.5 font-medium text-sm',
  quiet: 'text-muted hover:text-ink underline-offset-4 hover:underline px-1.5 py-1.5 text-sm',
};

/** Classes for what looks like a button, links included. */
export function buttonClass(look: Look = 'plain'): string {
  return `inline-flex items-center justify-center gap-2 rounded-md transition-[filter,border-color,color] duration-150 disabled:opacity-55 aria-disabled:opacity-55 ${LOOKS[look]}`;
}

export function Button({
  look = 'plain',
  className = '',
  type = 'button',
  ...rest
}: ComponentProps<'button'> & { look?: Look }) {
  return <button type={type} className={`${buttonClass(look)} ${className}`} {...rest} />;
}
