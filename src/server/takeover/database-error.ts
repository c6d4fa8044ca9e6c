/** Why a database cannot be read, as the end of a sentence that begins with its name. */
export class DatabaseError extends Error {
  override readonly name = 'DatabaseError';
}
