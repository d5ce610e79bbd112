import { type ReactNode, useId, useLayoutEffect, useRef } from 'react';
import { Button } from './button';

/** A sheet over the page, from its right edge; the keyboard stays in it until it is closed. */
export function Dialog(props: {
  title: string;
  testId: string;
  onClose: () => void;
  children: ReactNode;
}) {
  const { onClose } = props;
  const element = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useLayoutEffect(() => {
    const dialog = element.current;
    dialog?.showModal();
    // Gives the keyboard back to what had it, while that is still known.
    return () => dialog?.close();
  }, []);
  return (
    <dialog
      ref={element}
      aria-labelledby={titleId}
      data-testid={props.testId}
      className="mr-0 ml-auto h-dvh max-h-none w-full max-w-[46rem] overflow-y-auto overscroll-contain border-line bg-page p-0 text-ink backdrop:bg-black/55 sm:border-l"
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      // Browsers close it by themselves when Escape is pressed once more.
      onClose={() => element.current?.open !== true && onClose()}
      onPointerDown={(event) => event.target === event.currentTarget && onClose()}
    >
      <div className="min-h-full">
        <header className="sticky top-0 z-20 flex items-center justify-between gap-4 border-b border-line bg-page px-4 py-3 sm:px-6">
          <h2 id={titleId} className="wide text-lg font-semibold">
            {props.title}
          </h2>
          <Button data-testid={`${props.testId}-close`} onClick={onClose}>
            Close
          </Button>
        </header>
        <div className="px-4 pt-4 pb-12 sm:px-6">{props.children}</div>
      </div>
    </dialog>
  );
}
