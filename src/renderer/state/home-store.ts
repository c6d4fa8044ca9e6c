import { create } from 'zustand';
import type { ErrorData } from '../errors.ts';
import type { HomeState, LiteDeskApi } from '../../shared/ipc.ts';
import { settle } from '../api.ts';

export interface HomeStore {
  /** Null until the first answer. */
  home: HomeState | null;
  /** Why there is no home state. */
  failure: ErrorData | null;
}

export const useHome = create<HomeStore>()(() => ({ home: null, failure: null }));

/** Follows the home state of the main process until the returned function is called. */
export function startHome(api: LiteDeskApi): () => void {
  let ended = false;
  let pushed = false;
  const off = api.onHome((home) => {
    pushed = true;
    useHome.setState({ home, failure: null });
  });
  void settle(api.getHome()).then((result) => {
    // A pushed state is newer than the answer to a question asked before it.
    if (ended || pushed) return;
    if (result.ok) useHome.setState({ home: result.value, failure: null });
    else useHome.setState({ failure: result.error });
  });
  return () => {
    ended = true;
    off();
  };
}
