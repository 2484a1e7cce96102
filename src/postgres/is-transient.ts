/**
 * 40001: a serialization failure. 40P01: a deadlock. 55P03, 55006: a lock, or something in use. 57014: cancelled, by a
 * time-out among others. 25P03, 25P04: a transaction that stood still for too long. 25006: a server that only reads, as
 * one does while another takes over. Class 53: no room or memory, or too many connections.
 */
const passingStates = /^(40001|40P01|55P03|55006|57014|25P03|25P04|25006|53...)$/

/**
 * May what failed with this SQLSTATE succeed when it is tried again, with nothing changed? A connection that was lost is
 * known by more than its code, and is not asked for here.
 */
export function isTransient(sqlState: string | undefined): boolean {
  return sqlState !== undefined && passingStates.test(sqlState)
}
