/** Elements and forms, so that faults are heard, seen beside their field, and reached by keyboard. */

/**
 * An element: element('p', { class: 'hint' }, 'text', child). Text is never read as HTML.
 *
 * @param {string} name
 * @param {Record<string, string | boolean | undefined>} [attributes]
 * @param {...(string | Node)} children
 */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) made.setAttribute(key, value === true ? '' : value);
  }
  made.append(...children);
  return made;
}

/** A button that does something. */
export function button(label, onClick, attributes = {}) {
  const made = element('button', { type: 'button', ...attributes }, label);
  made.addEventListener('click', () => void busy(made, onClick));
  return made;
}

/** Once at a time; a disabled button would lose the focus. */
async function busy(control, work) {
  if (control.getAttribute('aria-disabled') === 'true') return;
  control.setAttribute('aria-disabled', 'true');
  try {
    await work();
  } finally {
    control.removeAttribute('aria-disabled');
  }
}

let fields = 0;

/**
 * A form: its fields by the names of the API, so that a fault's pointer finds its field.
 *
 * @param {{ fields: { name: string, label: string, hint?: string, [attribute: string]: unknown }[],
 *   submit: string, onSubmit: (values: Record<string, string>) => Promise<void>,
 *   explain: (error: unknown) => { message: string, faults: { pointer: string, detail: string }[] },
 *   tell: (message: string) => void, more?: Node[] }} options
 */
export function form({ fields: wanted, submit, onSubmit, explain, tell, more = [] }) {
  const made = element('form', { novalidate: true });
  const inputs = new Map();
  for (const { name, label, hint, ...attributes } of wanted) {
    const id = `field-${++fields}`;
    const input = element('input', {
      id,
      name,
      required: true,
      'aria-describedby': `${id}-hint ${id}-fault`,
      ...attributes,
    });
    inputs.set(name, { input, fault: element('p', { class: 'fault', id: `${id}-fault` }) });
    made.append(
      element(
        'div',
        { class: 'field' },
        element('label', { for: id }, label),
        input,
        element('p', { class: 'hint', id: `${id}-hint` }, hint ?? ''),
        inputs.get(name).fault,
      ),
    );
  }
  const send = element('button', { type: 'submit' }, submit);
  made.append(send, ...more);

  const mark = (name, detail) => {
    const { input, fault } = inputs.get(name);
    fault.textContent = detail;
    if (detail === '') input.removeAttribute('aria-invalid');
    else input.setAttribute('aria-invalid', 'true');
  };
  /** Whether the focus went to a field with a fault. */
  const focusFault = () => {
    const first = made.querySelector('[aria-invalid="true"]');
    first?.focus();
    return first !== null;
  };
  const markFaults = (faults) => {
    for (const name of inputs.keys()) {
      // A field can have several.
      const own = faults.filter(({ pointer }) => pointer === `/${name}`);
      if (own.length > 0) mark(name, own.map(({ detail }) => detail).join(' '));
    }
    focusFault();
  };
  const markEmpty = () => {
    for (const [name, { input }] of inputs)
      mark(name, input.required && input.value === '' ? 'Fill this in.' : '');
  };
  const submitted = async () => {
    tell('');
    markEmpty();
    if (focusFault()) return;
    try {
      await onSubmit(
        Object.fromEntries([...inputs].map(([name, { input }]) => [name, input.value])),
      );
    } catch (error) {
      const { message, faults } = explain(error);
      tell(message);
      markFaults(faults);
    }
  };
  made.addEventListener('submit', (event) => {
    event.preventDefault();
    void busy(send, submitted);
  });
  return made;
}
