/** What comes in, for whoever waits for it. */
export function queue() {
  const items = [];
  let wake = null;
  return {
    put: (item) => {
      items.push(item);
      wake?.();
    },
    async next() {
      while (items.length === 0) await new Promise((resolve) => (wake = resolve));
      return items.shift();
    },
  };
}
