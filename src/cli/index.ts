/** All verbs, in the order of the help. */
import { apikeyCreate, apikeyList, apikeyRevoke } from './apikey.ts';
import {
  auditCheckpoint,
  auditExport,
  auditKey,
  auditList,
  auditProve,
  auditVerify,
} from './audit.ts';
import { backup } from './backup.ts';
import { breachedBuild } from './breached.ts';
import { completion } from './completion.ts';
import { configCheck } from './config-check.ts';
import { configShow } from './config-show.ts';
import { doctor } from './doctor.ts';
import { exportAll, userExport } from './export.ts';
import { health } from './health.ts';
import { importFile } from './import.ts';
import { incident } from './incident.ts';
import { init } from './init.ts';
import { keysExport, keysList, keysRotate } from './keys.ts';
import { kitServe } from './kit.ts';
import { migrate } from './migrate.ts';
import { mailShow } from './mail-show.ts';
import { mailTest, outboxList, outboxRetry } from './outbox.ts';
import { smsTest } from './sms-test.ts';
import { printVersion } from './print-version.ts';
import { rekey } from './rekey.ts';
import { restore } from './restore.ts';
import { serve } from './serve.ts';
import { userClaims } from './user-claims.ts';
import { userRemoveFactors, userRenewGrace } from './user-factor.ts';
import { userDelete, userResetLink, userSetEmail } from './user-account.ts';
import { userSessions, userShow } from './user-show.ts';
import {
  userDisable,
  userEnable,
  userExpirePassword,
  userLogout,
  userUnlock,
} from './user-state.ts';
import { userCreate, userList } from './user.ts';
import type { Verb } from './verb.ts';

export const VERBS: readonly Verb[] = [
  serve,
  init,
  health,
  doctor,
  configCheck,
  configShow,
  migrate,
  backup,
  restore,
  rekey,
  keysList,
  keysRotate,
  keysExport,
  incident,
  userCreate,
  userList,
  userShow,
  userSessions,
  userDisable,
  userEnable,
  userUnlock,
  userLogout,
  userExpirePassword,
  userRemoveFactors,
  userRenewGrace,
  userClaims,
  userResetLink,
  userSetEmail,
  userExport,
  userDelete,
  exportAll,
  importFile,
  apikeyCreate,
  apikeyList,
  apikeyRevoke,
  auditList,
  auditVerify,
  auditCheckpoint,
  auditKey,
  auditProve,
  auditExport,
  outboxList,
  outboxRetry,
  mailTest,
  mailShow,
  smsTest,
  breachedBuild,
  completion(() => VERBS),
  kitServe,
  printVersion,
];
