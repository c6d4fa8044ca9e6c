/** Failures of publishing, each with one wording (docs/errors.md). */
import { LiteDeskError } from '../../core/errors.ts';

export function publishNotOffered(server: string, cause?: unknown): LiteDeskError {
  return new LiteDeskError(
    {
      code: 'PUBLISH_NOT_OFFERED',
      stage: 'server',
      message: `The server ${server} does not publish services.`,
      hint: 'It must be a LiteDesk server that was started with --publish-ports, --http-port or --https-port.',
    },
    cause === undefined ? {} : { cause },
  );
}

export function publishFull(server: string): LiteDeskError {
  return new LiteDeskError({
    code: 'PUBLISH_FULL',
    stage: 'server',
    message: `As many computers publish services at ${server} as it takes.`,
    hint: 'It is tried again by itself; its operator can raise --limit maxPublishers.',
  });
}

export function publishElsewhere(server: string): LiteDeskError {
  return new LiteDeskError({
    code: 'PUBLISH_ELSEWHERE',
    stage: 'server',
    message: `The process of ${server} that publishes services was not reached.`,
    hint: 'It is tried again by itself; with --workers only one process of the server publishes.',
  });
}

export function publishNeedsKey(server: string): LiteDeskError {
  return new LiteDeskError({
    code: 'PUBLISH_NEEDS_KEY',
    stage: 'handshake',
    message: `The key of the server ${server} is not known here, so nobody can tell whether it is the right one.`,
    hint: 'Give --key with the key that the server printed, or its invitation line with --server.',
  });
}

/** The server ended the connection, with a word about why. */
export function publishEnded(reason: string): LiteDeskError {
  switch (reason) {
    case 'not-registered':
      return new LiteDeskError({
        code: 'PUBLISH_NOT_REGISTERED',
        stage: 'register',
        message: 'The server does not know this computer under its ID and key.',
        hint: 'It is registered again by itself; if that goes on, the server may not take new computers without an invitation.',
      });
    case 'not-allowed':
      return new LiteDeskError({
        code: 'PUBLISH_NOT_ALLOWED',
        stage: 'server',
        message: 'The server does not let this computer publish services.',
        hint: 'Its operator can add this ID with --publish-allow.',
      });
    case 'too-many-publishers':
      return new LiteDeskError({
        code: 'PUBLISH_TOO_MANY',
        stage: 'server',
        message: 'This computer has as many connections for publishing as the server takes.',
        hint: 'End other litedesk publish commands here, or publish several services with one.',
      });
    default:
      return new LiteDeskError({
        code: 'PUBLISH_ENDED',
        stage: 'session',
        message: `The connection to the server has ended: ${reason}.`,
        hint: 'It is made again by itself.',
      });
  }
}
