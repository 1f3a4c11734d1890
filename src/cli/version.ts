/** The versions that a bug report needs. */
import about from '../../package.json' with { type: 'json' };

/** postern's own version. */
export const VERSION: string = about.version;
/** libSQL's version; dependencies are pinned, so it is the one that runs. */
export const LIBSQL_VERSION: string = about.dependencies.libsql;
