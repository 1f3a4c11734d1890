/**
 * `npm run db:generate -- --name WHAT` turns the `tables.ts` of core and of the features into an SQL
 * migration, and embeds it into src/db/migrations.ts.
 */
import { defineConfig } from 'drizzle-kit';

export default defineConfig({
  dialect: 'sqlite',
  schema: ['./src/core/*/tables.ts', './src/features/*/tables.ts'],
  out: './drizzle',
});
