/** The same rules with everything on a single port. */
import { useWay } from './rig.ts';

useWay('single');
await import('./registration.test.ts');
await import('./introduction.test.ts');
await import('./answers.test.ts');
await import('./queries.test.ts');
await import('./rename.test.ts');
