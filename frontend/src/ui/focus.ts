/**
 * As a ref: takes the keyboard's place if it went down with the control that this one
 * replaces. Only for what follows on something that was pressed there.
 */
export function takeLostFocus(element: HTMLElement | null): void {
  if (element === null || document.activeElement !== document.body) return;
  // Where it went to may be far off: the page follows only those who use the keyboard.
  element.focus({ preventScroll: true });
  if (element.matches(':focus-visible')) element.scrollIntoView({ block: 'nearest' });
}
