/** How the lab's hosts of the grid begin. */
export const CONTROLLER = 'c';
export const CONTROLLED = 'h';
