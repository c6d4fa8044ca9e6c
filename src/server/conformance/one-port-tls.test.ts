/** The same rules with everything on a single port, inside TLS. */
import { useWay } from './rig.ts';

useWay('tls');
await import('./registration.test.ts');
await import('./introduction.test.ts');
await import('./answers.test.ts');
await import('./queries.test.ts');
await import('./rename.test.ts');
