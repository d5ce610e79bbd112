import { createContext, type ReactNode, useContext, useSyncExternalStore } from 'react';
import { type Deck, type DeckState, IDLE } from './deck';

const DeckContext = createContext<Deck | null>(null);

export function DeckProvider(props: { deck: Deck; children: ReactNode }) {
  return <DeckContext value={props.deck}>{props.children}</DeckContext>;
}

export function useDeck(): Deck {
  const deck = useContext(DeckContext);
  if (deck === null) throw new Error('useDeck needs a DeckProvider above it');
  return deck;
}

/** The deck as one tape sees it: idle while another one is on. */
export function useDeckState(tapeId: string): DeckState {
  const deck = useDeck();
  return useSyncExternalStore(
    (listener) => deck.subscribe(listener),
    () => (deck.state.tapeId === tapeId ? deck.state : IDLE),
  );
}
