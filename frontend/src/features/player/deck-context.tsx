import { createContext, type ReactNode, useContext, useSyncExternalStore } from 'react';
import type { Deck, DeckState } from './deck';

const DeckContext = createContext<Deck | null>(null);

export function DeckProvider(props: { deck: Deck; children: ReactNode }) {
  return <DeckContext value={props.deck}>{props.children}</DeckContext>;
}

export function useDeck(): Deck {
  const deck = useContext(DeckContext);
  if (deck === null) throw new Error('useDeck needs a DeckProvider above it');
  return deck;
}

const OFF: DeckState = { trackId: null, playing: false, positionSeconds: 0, problem: null };

/** The deck as one track sees it: off while another one is on. */
export function useDeckState(trackId: string): DeckState {
  const deck = useDeck();
  return useSyncExternalStore(
    (listener) => deck.subscribe(listener),
    () => (deck.state.trackId === trackId ? deck.state : OFF),
  );
}
