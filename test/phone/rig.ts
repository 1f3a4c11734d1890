/** Accounts with telephone numbers, and requests from many networks. */
import { PASSWORD } from '../support/app.ts';
import type { Reply, TestApp } from '../support/app.ts';

export const SMS = `[server]
trusted_proxies = ["127.0.0.1"]
[sms]
countries = ["DE", "AT", "LV", "TJ", "US"]
transports = ["file"]
domain = "app.example.com"
`;
export const SMS_SIGN_IN = `${SMS}[otp.sms]\nenabled = true\n`;
export const SMS_REGISTERS = `${SMS_SIGN_IN}[otp]\nauto_register = true\n`;

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

let numbers = 0;
let networks = 0;

const FIRST: Readonly<Record<string, (n: number) => string>> = {
  DE: (n) => `+49151${20_000_000 + n}`,
  AT: (n) => `+43664${1_000_000 + n}`,
  LV: (n) => `+3712${1_000_000 + n}`,
  TJ: (n) => `+9929${30_000_000 + n}`,
};

/** A mobile number that no test has had. */
export const newNumber = (country = 'DE'): string => FIRST[country]?.(++numbers) ?? '';

/** An address of a network that no test has had. */
export const newNetwork = (): string => {
  networks += 1;
  return `10.${networks >> 16}.${(networks >> 8) & 255}.${networks & 255}`;
};

const from = (ip: string) => ({ headers: { 'x-forwarded-for': ip } });

export const codeOf = (texts: readonly { values: Readonly<Record<string, string>> }[]): string =>
  texts.at(-1)?.values['code'] ?? '';

export const ask = (app: TestApp, phone: string, ip = newNetwork()): Promise<Reply> =>
  app.call('POST', '/login/otp', { body: { phone }, ...from(ip) });

export const present = (app: TestApp, otp_id: string, code: string, extra: object = {}) =>
  app.call('POST', '/login/otp/verify', { body: { otp_id, code, ...extra } });

export const setPhone = (app: TestApp, token: string, phone: string, ip = newNetwork()) =>
  app.call('POST', '/me/phone', { token, body: { phone }, ...from(ip) });

export const verifyPhone = (app: TestApp, token: string, otp_id: string, code: string) =>
  app.call('POST', '/me/phone/verify', { token, body: { otp_id, code } });

export interface Owner {
  readonly phone: string;
  readonly id: string;
  readonly username: string;
  readonly access: string;
  readonly device: string;
}

/** A registered user with a verified number. */
export async function owner(app: TestApp, phone = newNumber()): Promise<Owner> {
  const user = await app.register();
  const { body } = await setPhone(app, user.access, phone);
  const done = await verifyPhone(app, user.access, body.otp_id, codeOf(await app.texts(phone)));
  if (done.status !== 200) throw new Error(`not verified: ${JSON.stringify(done.body)}`);
  const { status, body: again } = await app.login(user.username, PASSWORD);
  if (status !== 200) throw new Error('the password no longer signs in');
  const { userId: id, username } = user;
  return { phone, id, username, access: again.access_token, device: again.device_token };
}

export const outcome = ({ status, body }: Reply) => [status, body.code];
export const INVALID = [422, 'invalid_code'];

/** How many messages the outbox had for somebody. */
export async function sentCount(app: TestApp): Promise<number> {
  const [count] = await app.db.read({
    sql: "SELECT count(*) FROM outbox WHERE kind = 'real' AND lane >= 4",
    params: [],
    map: (rows) => rows.map(([n]) => Number(n)),
    returns: true,
  });
  return count ?? 0;
}
