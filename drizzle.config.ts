/**
 * `npm run db:generate` turns `src/db/schema.ts` and the slices' tables into SQL migrations, and
 * embeds them.
 */
import { defineConfig } from 'drizzle-kit';

export default defineConfig({
  dialect: 'sqlite',
  schema: ['./src/core/*/tables.ts', './src/features/*/tables.ts'],
  out: './drizzle',
});
