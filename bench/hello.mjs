/**
 * What the service is measured against: a hello of Hono's on @hono/node-server, on the same Node,
 * in a process of its own.
 */
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { answerJobs } from './jobs.mjs';

const app = new Hono();
app.get('/', (c) => c.text('Hello!'));

const port = await new Promise((resolve) =>
  serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }, (info) => resolve(info.port)),
);
answerJobs(() => port);
