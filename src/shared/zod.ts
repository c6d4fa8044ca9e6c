/** zod as every schema of the app uses it. */
import { z } from 'zod';

// The check of whether `new Function` works would be reported as a violation of the content security policy.
z.config({ jitless: true });

export { z };
