/** Environment that switches every limit per client off. */
export const LIMITS_OFF = {
  ...Object.fromEntries(
    ['LOGIN', 'REGISTER', 'EMAILS', 'REFRESH', 'TOKEN', 'CHECK', 'RESET'].map((name) => [
      `POSTERN_LIMITS_${name}`,
      'off',
    ]),
  ),
  POSTERN_MAIL_MAX_PER_NETWORK: '1000000',
};
