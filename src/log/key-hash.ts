/**
 * The hash, from 0 to 2^32 - 1, that divides keys into shards, and streams with them where they are the keys. Pinned for ever: rows,
 * checkpoints and events are stored by it, in whatever release and store.
 *
 * It is FNV-1a of 32 bits (http://www.isthe.com/chongo/tech/comp/fnv/) over the UTF-8 of the tenant, a zero byte and the
 * UTF-8 of the key; then the finalizer `fmix32` of MurmurHash3, since the low bits of FNV-1a alone are uneven for short
 * keys.
 */
export function keyHash(tenant: string, key: string): number {
  return mixed(hashed(key, hashed('\u0000', hashed(tenant, fnvOffset))))
}

const fnvOffset = 0x811c9dc5
const fnvPrime = 0x01000193

function hashed(text: string, seed: number): number {
  let hash = seed
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code > 0x7f) return hashedBytes(Buffer.from(text.slice(at)), hash)
    hash = Math.imul(hash ^ code, fnvPrime)
  }
  return hash
}

function hashedBytes(bytes: Uint8Array, seed: number): number {
  let hash = seed
  for (const byte of bytes) hash = Math.imul(hash ^ byte, fnvPrime)
  return hash
}

function mixed(hash: number): number {
  let mix = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  mix = Math.imul(mix ^ (mix >>> 13), 0xc2b2ae35)
  return (mix ^ (mix >>> 16)) >>> 0
}
