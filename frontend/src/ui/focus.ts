/**
 * As a ref: takes the keyboard's place if it went down with the control that this one
 * replaces. Only for what follows on something that was pressed there.
 */
export function takeLostFocus(element: HTMLElement | null): void {
  if (element !== null && document.activeElement === document.body) element.focus();
}
