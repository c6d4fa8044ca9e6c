/** Who is online at other nodes: each is asked for those that it holds. */
import type { Clock } from '../../core/clock.ts';
import type { ServerLimits } from '../limits.ts';
import { batches } from './batches.ts';
import { encodeBusMessage } from './bus-message.ts';
import type { Directory } from './directory.ts';

export class OnlineQuery {
  readonly #directory: Directory;
  readonly #limits: ServerLimits;
  readonly #clock: Clock;
  readonly #open = new Map<number, (online: readonly boolean[]) => void>();
  #nextRef = 1;

  constructor(directory: Directory, limits: ServerLimits, clock: Clock) {
    this.#directory = directory;
    this.#limits = limits;
    this.#clock = clock;
  }

  /** For each id whether it is online here or elsewhere, as its own node sees it. What cannot be asked counts as offline. */
  async ask(ids: readonly string[], here: (id: string) => boolean): Promise<boolean[]> {
    const online = ids.map(here);
    const byNode = new Map<string, number[]>();
    try {
      const open = ids.flatMap((id, i) => (online[i] || id === '' ? [] : [i]));
      for (const part of batches(open)) {
        const holders = await this.#directory.holders(part.map((i) => ids[i] ?? ''));
        holders.forEach((holder, at) => {
          const i = part[at];
          if (holder === null || holder === this.#directory.node || i === undefined) return;
          const there = byNode.get(holder);
          if (there) there.push(i);
          else byNode.set(holder, [i]);
        });
      }
    } catch {
      return online;
    }
    const questions = [...byNode].flatMap(([node, indexes]) => batches(indexes).map((part) => ({ node, part })));
    await Promise.all(
      questions.map(async ({ node, part }) => {
        const states = await this.#askNode(node, part.map((i) => ids[i] ?? ''));
        part.forEach((i, at) => {
          online[i] = states[at] ?? false;
        });
      }),
    );
    return online;
  }

  onStates(ref: number, online: readonly boolean[]): void {
    this.#open.get(ref)?.(online);
  }

  async #askNode(node: string, ids: readonly string[]): Promise<readonly boolean[]> {
    const ref = this.#nextRef++;
    const answer = new Promise<readonly boolean[]>((resolve) => {
      const cancel = this.#clock.setTimer(this.#limits.clusterReplyMs, () => settle([]));
      const settle = (online: readonly boolean[]): void => {
        cancel();
        this.#open.delete(ref);
        resolve(online);
      };
      this.#open.set(ref, settle);
    });
    const sent = await this.#directory.send(node, encodeBusMessage({ type: 'online', ref, ids })).catch(() => false);
    if (!sent) this.#open.get(ref)?.([]);
    return answer;
  }
}
