/** A browser without pages: cookies, redirects, and the forms of oidc-provider's own pages. */

/** What a provider sends back to the redirect URI. */
export type CameBack = Readonly<Record<string, string>>;

export interface Tab {
  /** Goes to the provider and signs in there; resolves to what it comes back with. */
  signIn(url: string, login: string): Promise<CameBack>;
}

/** Stops in front of `stop`, which nobody serves. */
export function openTab(stop: string): Tab {
  const cookies = new Map<string, string>();
  const send = async (url: string, form?: Record<string, string>): Promise<Response> => {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { cookie },
      ...(form === undefined ? {} : { method: 'POST', body: new URLSearchParams(form) }),
    });
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      cookies.set(name, value);
    }
    return response;
  };
  return {
    signIn: async (url, login) => {
      let at = url;
      let response = await send(at);
      for (let hops = 0; hops < 20; hops++) {
        const next = response.headers.get('location');
        if (next === null) {
          const text = await response.text();
          const [, prompt] = /name="prompt" value="(\w+)"/.exec(text) ?? [];
          if (prompt === undefined) throw new Error(`${response.status} at ${at}: ${text}`);
          response = await send(at, { prompt, login, password: 'x' });
          continue;
        }
        at = new URL(next, at).href;
        if (at.startsWith(stop)) return Object.fromEntries(new URL(at).searchParams);
        response = await send(at);
      }
      throw new Error(`never came back from ${url}`);
    },
  };
}
