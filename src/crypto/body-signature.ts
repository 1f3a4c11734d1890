/**
 * The signature of what is posted to a program of the operator's. It covers time and body, so that
 * neither can be changed nor replayed: `t=<seconds>,v1=<hex HMAC-SHA-256 of "<seconds>.<body>">`.
 */
import { createHmac } from 'node:crypto';

/** @param now wall-clock milliseconds */
export function signBody(secret: string, body: string, now: number): string {
  const seconds = Math.floor(now / 1000);
  const mac = createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex');
  return `t=${seconds},v1=${mac}`;
}
