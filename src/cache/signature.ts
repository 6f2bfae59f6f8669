// Keys and signatures (ed25519, node:crypto). A signature covers the whole record with its key and namespace, so a valid
// record cannot stand in for another.
//
// Files: a public key is one line, `lhb-ed25519 BASE64 NAME` (BASE64: the 32 bytes of the key), a private one PEM (PKCS 8).
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify, type KeyObject } from 'node:crypto';
import { err, ok, type Result } from '../base/result.ts';
import { hashBytes, hashText } from '../hash/digest.ts';
import { canonicalJson } from './record.ts';

/** The first 16 hex digits of the BLAKE3 of a public key. */
export type KeyId = string;

export type PublicKey = { readonly id: KeyId; readonly name: string; readonly key: KeyObject };
export type SigningKey = { readonly id: KeyId; readonly key: KeyObject; readonly line: string };

const WORD = 'lhb-ed25519';
const CONTEXT = 'lhb record v1\n';
/** What stands before the 32 bytes of an ed25519 key in DER (RFC 8410). */
const SPKI_HEAD = Buffer.from('302a300506032b6570032100', 'hex');

const rawOf = (key: KeyObject): Buffer => key.export({ type: 'spki', format: 'der' }).subarray(SPKI_HEAD.length);

const idOf = (raw: Uint8Array): KeyId => hashBytes(raw).slice(0, 16);

/** A new pair: the private key as PEM, the public one as a line. */
export function generateKey(name: string): { readonly pem: string; readonly line: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { pem, line: publicLine(publicKey, name) };
}

const publicLine = (key: KeyObject, name: string): string => `${WORD} ${rawOf(key).toString('base64')} ${name}`;

/** A private key from its PEM text. */
export function readSigningKey(pem: string): Result<SigningKey, string> {
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType !== 'ed25519')
      return err(`it is a key of the kind ${key.asymmetricKeyType}, not ed25519`);
    const publicKey = createPublicKey(key);
    return ok({ id: idOf(rawOf(publicKey)), key, line: publicLine(publicKey, '') });
  } catch {
    return err('it holds no private key (PEM) that can be read');
  }
}

/** A public key from its line. */
export function readPublicKey(line: string): Result<PublicKey, string> {
  const [word, base64, ...name] = line.trim().split(/\s+/);
  const raw = Buffer.from(base64 ?? '', 'base64');
  if (word !== WORD || raw.length !== 32) return err(`it is no line '${WORD} BASE64 NAME'`);
  try {
    const key = createPublicKey({ key: Buffer.concat([SPKI_HEAD, raw]), format: 'der', type: 'spki' });
    return ok({ id: idOf(raw), name: name.join(' ') || idOf(raw), key });
  } catch {
    return err('its bytes are no ed25519 key');
  }
}

/** A record as it is stored: its line, and what vouches for it. */
export function sealRecord(line: string, key: SigningKey | undefined): Buffer {
  const b3 = hashText(line);
  const seal = key && {
    alg: 'ed25519',
    keyid: key.id,
    sig: sign(null, Buffer.from(CONTEXT + line), key.key).toString('base64'),
  };
  return Buffer.from(`${line}\n${canonicalJson({ b3, ...seal })}\n`);
}

export type Sealed = {
  readonly line: string;
  /** Undefined: not signed. */
  readonly keyId: KeyId | undefined;
  /** Whether this key made the signature. */
  readonly signedBy: (key: PublicKey) => boolean;
};

/** Takes a stored record apart; undefined where a byte of it is not what was written. */
export function openSealed(bytes: Uint8Array): Sealed | undefined {
  const [line, second, rest, more] = Buffer.from(bytes).toString('utf8').split('\n');
  if (line === undefined || second === undefined || rest !== '' || more !== undefined) return undefined;
  let seal: unknown;
  try {
    seal = JSON.parse(second);
  } catch {
    return undefined;
  }
  if (typeof seal !== 'object' || seal === null) return undefined;
  const { keyid: keyId, sig } = seal as { keyid?: unknown; sig?: unknown };
  const raw = typeof sig === 'string' ? Buffer.from(sig, 'base64') : undefined;
  const isSigned = typeof keyId === 'string' && raw !== undefined;
  // Written again it must be the same text: whatever else stands there is damage, not an unsigned record.
  if (
    canonicalJson({
      b3: hashText(line),
      ...(isSigned && { alg: 'ed25519', keyid: keyId, sig: raw.toString('base64') }),
    }) !== second
  )
    return undefined;
  const signature = isSigned ? raw : undefined;
  return {
    line,
    keyId: isSigned ? keyId : undefined,
    signedBy: (key) =>
      signature !== undefined && key.id === keyId && verify(null, Buffer.from(CONTEXT + line), key.key, signature),
  };
}
