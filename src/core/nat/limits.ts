/** Every bound of the search for direct paths, with its reason. */
export const PATH_LIMITS = {
  /** Candidates taken from the other side in one round; a computer with many interfaces has some ten. */
  maxCandidates: 32,
  /** Own local addresses that are offered, over both families. */
  maxLocalAddresses: 12,
  /** Addresses that were never offered and from which a proven datagram came; a NAT has one for each socket of ours. */
  maxDiscovered: 16,
  /** Predicted ports on each side of what is likely: traffic of others moves the NAT's counter meanwhile. */
  predictedPorts: 40,
  /**
   * Where two counting NATs meet: a port so many steps ahead of each one's last, and so many sockets that run over it. What else
   * leaves meanwhile (other candidates, TCP dials, other programs) may use up the ports before.
   */
  meetingAhead: 32,
  meetingSockets: 64,
  /** Meetings in one round, each with fresh predictions, and the pause after which one has failed. */
  meetingsPerRound: 4,
  meetingAgainMs: 1_300,
  /** Sockets of the side whose NAT picks ports at random: with 1,024 ports tried one of them is met in 98 of 100 cases. */
  birthdaySockets: 256,
  /** Datagrams that one round may send to guessed ports, and as many minutes of all rounds together. */
  sprayPerRound: 4_096,
  sprayPerMinute: 8_192,
  /** Guessed datagrams per second at the start, and what that grows to: a home router's table must not be flooded. */
  sprayFirstPerSecond: 400,
  sprayMostPerSecond: 2_000,
  /** Time in which the rate grows from the first to the most. */
  sprayRampMs: 400,
  /** A round ends without a path after this time; random ports are met within three seconds or hardly ever. */
  roundMs: 6_000,
  /** Pauses between rounds that found nothing better; the first is short, since loss is what fails most often and does not last. */
  roundBackoffMs: [1_000, 5_000, 15_000, 60_000, 300_000],
  /** Messages on the channel for paths, bytes; an offer with all candidates has less than 1,500. */
  maxMessageBytes: 8_192,
  /** Attempts that are kept for the report. */
  maxRecords: 64,
} as const;
