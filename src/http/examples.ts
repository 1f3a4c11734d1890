/**
 * Requests and answers for the OpenAPI document, recorded from the built server by
 * test/e2e/api-examples.test.ts. Tokens, ids and times are replaced by placeholders.
 */
import recorded from './examples.json' with { type: 'json' };
import type { Json } from './openapi-components.ts';

/** Under its name, as OpenAPI has examples. */
type Examples = Record<string, { summary: string; value: unknown }>;

export interface RouteExamples {
  readonly request: Examples;
  /** Answers with a body, by status. */
  readonly answers: ReadonlyMap<number, Examples>;
}

interface Recorded {
  readonly route: string;
  readonly title: string;
  readonly status: number;
  readonly body?: unknown;
  readonly form?: unknown;
  readonly answer?: unknown;
}

/** The recorded examples of a route. */
export function examplesOf(method: string, path: string): RouteExamples {
  const route = `${method.toUpperCase()} ${path}`;
  const all: readonly Recorded[] = recorded;
  const request: Examples = {};
  const answers = new Map<number, Examples>();
  for (const example of all.filter((one) => one.route === route)) {
    const name = example.title.toLowerCase().replaceAll(/[^a-z0-9]+/g, '_');
    const sent = example.body ?? example.form;
    if (sent !== undefined) request[name] = { summary: example.title, value: sent };
    if (example.answer === undefined) continue;
    const known = answers.get(example.status) ?? {};
    answers.set(example.status, {
      ...known,
      [name]: { summary: example.title, value: example.answer },
    });
  }
  return { request, answers };
}

/** The member of a media type object, when there are any. */
export function examplesMember(examples: Examples | undefined): Json {
  return examples === undefined || Object.keys(examples).length === 0 ? {} : { examples };
}
