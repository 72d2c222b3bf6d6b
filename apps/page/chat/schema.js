// A JSON Schema validator (2020-12) for what people write by hand: tells whether a schema is one, and where a value
// breaks it. The server enforces schemas by itself; this one shows the result, and checks servers that do not.
// Not covered: dynamic and remote references, unevaluated*, content*. Such keywords are named in `unchecked`.

const TYPES = ['object', 'array', 'string', 'number', 'integer', 'boolean', 'null'];
const IGNORED = new Set(
  (
    '$schema $id $anchor $comment $defs definitions title description default examples deprecated readOnly writeOnly ' +
    'contentEncoding contentMediaType'
  ).split(' '),
);
const MAX_DEPTH = 100; // of schemas within schemas, and of references followed

// ---- is it a schema? ----------------------------------------------------------------------------------------------

const isObject = (v) => typeof v === 'object' && v !== null && !Array.isArray(v);
const isCount = (v) => Number.isInteger(v) && v >= 0;
const isNumber = (v) => typeof v === 'number';
const isSchema = (v) => isObject(v) || typeof v === 'boolean';
const isSchemaMap = (v) => isObject(v) && Object.values(v).every(isSchema);
const isSchemaList = (v) => Array.isArray(v) && v.length > 0 && v.every(isSchema);
const isNames = (v) => Array.isArray(v) && v.every((name) => typeof name === 'string');
const isType = (v) => TYPES.includes(v) || (Array.isArray(v) && v.length > 0 && v.every((t) => TYPES.includes(t)));
const isPattern = (v) => typeof v === 'string' && regexOf(v) !== null;

const FORMS = {
  type: [isType, `one of ${TYPES.join(', ')}, or an array of them`],
  enum: [(v) => Array.isArray(v) && v.length > 0, 'an array with at least one value'],
  properties: [isSchemaMap, 'an object of schemas'],
  patternProperties: [
    (v) => isSchemaMap(v) && Object.keys(v).every(isPattern),
    'an object of schemas named by patterns',
  ],
  required: [isNames, 'an array of names'],
  dependentRequired: [(v) => isObject(v) && Object.values(v).every(isNames), 'an object of arrays of names'],
  pattern: [isPattern, 'a regular expression'],
  format: [(v) => typeof v === 'string', 'a text'],
  $ref: [(v) => typeof v === 'string', 'a text'],
  uniqueItems: [(v) => typeof v === 'boolean', 'true or false'],
  multipleOf: [(v) => isNumber(v) && v > 0, 'a number above 0'],
};
for (const name of ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum']) FORMS[name] = [isNumber, 'a number'];
for (const name of ['minLength', 'maxLength', 'minItems', 'maxItems', 'minProperties', 'maxProperties']) {
  FORMS[name] = [isCount, 'a whole number, 0 or more'];
}
for (const name of [
  'additionalProperties',
  'additionalItems',
  'propertyNames',
  'contains',
  'not',
  'if',
  'then',
  'else',
]) {
  FORMS[name] = [isSchema, 'a schema'];
}
for (const name of ['minContains', 'maxContains']) FORMS[name] = FORMS.minItems;
for (const name of ['anyOf', 'oneOf', 'allOf', 'prefixItems']) FORMS[name] = [isSchemaList, 'an array of schemas'];
FORMS.items = [(v) => isSchema(v) || (Array.isArray(v) && v.every(isSchema)), 'a schema, or an array of them'];
FORMS.const = [() => true, ''];
FORMS.dependentSchemas = FORMS.properties;
FORMS.$defs = FORMS.definitions = FORMS.properties;

export function checkSchema(root) {
  const problems = [];
  const unchecked = new Set();
  const waiting = [{ schema: root, path: '', depth: 0 }];
  while (waiting.length) {
    const { schema, path, depth } = waiting.pop();
    if (typeof schema === 'boolean') continue;
    const where = path ? `At ${path}: ` : '';
    if (!isObject(schema)) {
      problems.push(`${where}a schema is an object, as in {"type": "object"}.`);
      continue;
    }
    if (depth > MAX_DEPTH) {
      problems.push(`${where}schemas are nested more than ${MAX_DEPTH} deep.`);
      continue;
    }
    for (const [name, value] of Object.entries(schema)) {
      const form = FORMS[name];
      if (!form) {
        if (!IGNORED.has(name)) unchecked.add(name);
      } else if (!form[0](value)) {
        problems.push(`${where}"${name}" must be ${form[1]}.`);
      } else if (name === '$ref' && resolve(root, value) === undefined) {
        if (isLocal(value)) problems.push(`${where}"${value}" leads nowhere in this schema.`);
        else unchecked.add(`"${value}"`);
      } else {
        for (const [step, child] of childSchemas(name, value)) {
          waiting.push({ schema: child, path: `${path}/${name}${step}`, depth: depth + 1 });
        }
      }
    }
  }
  return { problems, unchecked: [...unchecked] };
}

function childSchemas(name, value) {
  const form = FORMS[name][0];
  const isItems = name === 'items';
  if (form === isSchemaList || (isItems && Array.isArray(value))) return value.map((child, i) => [`/${i}`, child]);
  if (form === isSchema || isItems) return [['', value]];
  if (form === isSchemaMap || name === 'patternProperties') return Object.entries(value).map(([k, v]) => [`/${k}`, v]);
  return [];
}

const isLocal = (ref) => ref === '#' || ref.startsWith('#/');

// "#/$defs/a" within `root`; "#" is the root itself; undefined when it leads nowhere.
function resolve(root, ref) {
  if (!isLocal(ref)) return undefined;
  let at = root;
  for (const step of ref.split('/').slice(1)) {
    const name = decodeStep(step);
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) return undefined;
    at = at[name];
  }
  return isSchema(at) ? at : undefined;
}

function decodeStep(step) {
  try {
    return decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~');
  } catch {
    return step;
  }
}

// ---- does a value keep it? ----------------------------------------------------------------------------------------

// Sentences, one for each breach, at most `limit`.
export function validate(schema, value, limit = 20) {
  const found = [];
  new Check(schema, found).visit(schema, value, '', 0);
  return found.slice(0, limit);
}

class Check {
  constructor(root, found) {
    this.root = root;
    this.found = found;
  }

  passes(schema, value, depth) {
    const inner = new Check(this.root, []);
    inner.visit(schema, value, '', depth);
    return inner.found.length === 0;
  }

  visit(schema, value, path, depth) {
    const say = (text) => this.found.push(`${path || 'The answer'} ${text}.`);
    if (schema === true) return;
    if (schema === false) return void say('is not allowed');
    if (depth > MAX_DEPTH) return void say('is nested too deeply to check');
    if (schema.$ref !== undefined) {
      const target = resolve(this.root, schema.$ref);
      if (target !== undefined) this.visit(target, value, path, depth + 1);
    }
    const types = schema.type === undefined ? null : [schema.type].flat();
    if (types && !types.some((type) => hasType(value, type)))
      return void say(`is ${nameOf(value)}, expected ${types.join(' or ')}`);
    if (schema.enum && !schema.enum.some((v) => equal(v, value))) say(`is none of ${short(schema.enum)}`);
    if ('const' in schema && !equal(schema.const, value)) say(`is not ${short(schema.const)}`);
    if (typeof value === 'number') this.#number(schema, value, say);
    if (typeof value === 'string') this.#string(schema, value, say);
    if (Array.isArray(value)) this.#array(schema, value, path, depth, say);
    if (isObject(value)) this.#object(schema, value, path, depth, say);
    this.#combined(schema, value, path, depth, say);
  }

  #number(s, value, say) {
    if (value < s.minimum) say(`is ${value}, less than ${s.minimum}`);
    if (value > s.maximum) say(`is ${value}, more than ${s.maximum}`);
    if (value <= s.exclusiveMinimum) say(`is ${value}, not more than ${s.exclusiveMinimum}`);
    if (value >= s.exclusiveMaximum) say(`is ${value}, not less than ${s.exclusiveMaximum}`);
    if (s.multipleOf && !isMultiple(value, s.multipleOf)) say(`is ${value}, no multiple of ${s.multipleOf}`);
  }

  #string(s, value, say) {
    const length = [...value].length;
    if (length < s.minLength) say(`has ${length} characters, fewer than ${s.minLength}`);
    if (length > s.maxLength) say(`has ${length} characters, more than ${s.maxLength}`);
    if (s.pattern !== undefined && !regexOf(s.pattern)?.test(value)) say(`does not match ${s.pattern}`);
    if (s.format && FORMATS[s.format] && !FORMATS[s.format].test(value)) say(`is no ${s.format}`);
  }

  #array(s, value, path, depth, say) {
    if (value.length < s.minItems) say(`has ${value.length} items, fewer than ${s.minItems}`);
    if (value.length > s.maxItems) say(`has ${value.length} items, more than ${s.maxItems}`);
    if (s.uniqueItems && value.some((v, i) => value.slice(0, i).some((w) => equal(v, w)))) say('has equal items');
    const isOld = Array.isArray(s.items); // draft 7 has the array in items and the rest in additionalItems
    const first = isOld ? s.items : s.prefixItems;
    value.forEach((item, i) => {
      const schema = first?.[i] ?? (isOld ? s.additionalItems : s.items);
      if (schema !== undefined) this.visit(schema, item, `${path}[${i}]`, depth + 1);
    });
    if (s.contains !== undefined) {
      const n = value.filter((item) => this.passes(s.contains, item, depth + 1)).length;
      if (n < (s.minContains ?? 1)) say('has too few items that match "contains"');
      if (n > s.maxContains) say('has too many items that match "contains"');
    }
  }

  #object(s, value, path, depth, say) {
    const names = Object.keys(value);
    if (names.length < s.minProperties) say(`has ${names.length} properties, fewer than ${s.minProperties}`);
    if (names.length > s.maxProperties) say(`has ${names.length} properties, more than ${s.maxProperties}`);
    for (const name of s.required ?? []) if (!Object.hasOwn(value, name)) say(`lacks "${name}"`);
    for (const [name, others] of Object.entries(s.dependentRequired ?? {})) {
      if (!Object.hasOwn(value, name)) continue;
      for (const other of others) if (!Object.hasOwn(value, other)) say(`lacks "${other}", which "${name}" needs`);
    }
    for (const [name, schema] of Object.entries(s.dependentSchemas ?? {})) {
      if (Object.hasOwn(value, name)) this.visit(schema, value, path, depth + 1);
    }
    const patterns = Object.entries(s.patternProperties ?? {}).map(([p, schema]) => [regexOf(p), schema]);
    for (const name of names) {
      const here = path ? `${path}.${name}` : name;
      const matching = patterns.filter(([regex]) => regex?.test(name)).map(([, schema]) => schema);
      if (s.properties && Object.hasOwn(s.properties, name)) matching.push(s.properties[name]);
      for (const schema of matching) this.visit(schema, value[name], here, depth + 1);
      if (s.propertyNames !== undefined && !this.passes(s.propertyNames, name, depth + 1))
        say(`has the name "${name}", which is not allowed`);
      if (matching.length || s.additionalProperties === undefined) continue;
      if (s.additionalProperties === false) say(`has "${name}", which the schema does not know`);
      else this.visit(s.additionalProperties, value[name], here, depth + 1);
    }
  }

  #combined(s, value, path, depth, say) {
    const passes = (schema) => this.passes(schema, value, depth + 1);
    for (const schema of s.allOf ?? []) this.visit(schema, value, path, depth + 1);
    if (s.anyOf && !s.anyOf.some(passes)) say(`is none of the ${s.anyOf.length} kinds of "anyOf"`);
    if (s.oneOf) {
      const n = s.oneOf.filter(passes).length;
      if (n !== 1) say(`matches ${n} of the kinds of "oneOf", expected 1`);
    }
    if (s.not !== undefined && passes(s.not)) say('is what "not" forbids');
    if (s.if !== undefined) {
      const branch = passes(s.if) ? s.then : s.else;
      if (branch !== undefined) this.visit(branch, value, path, depth + 1);
    }
  }
}

// ---- values -------------------------------------------------------------------------------------------------------

const FORMATS = {
  'date-time': /^\d{4}-(0\d|1[0-2])-([0-2]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?(Z|[+-]\d\d:\d\d)$/i,
  date: /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$/,
  time: /^([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?(Z|[+-]\d\d:\d\d)$/i,
  duration: /^P(?!$)(\d+W|(\d+Y)?(\d+M)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+S)?)?)$/,
  email: /^[^\s@]+@[^\s@]+$/,
  hostname: /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/i,
  ipv4: /^((25[0-5]|2[0-4]\d|1?\d?\d)(\.(?!$)|$)){4}$/,
  uuid: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i,
};

function hasType(value, type) {
  if (type === 'integer') return Number.isInteger(value);
  return nameOf(value) === type;
}

function nameOf(value) {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

function isMultiple(value, of) {
  const times = value / of;
  return Math.abs(times - Math.round(times)) < 1e-9 * Math.max(1, Math.abs(times));
}

function equal(a, b) {
  if (typeof a !== 'object' || typeof b !== 'object' || !a || !b) return a === b;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && equal(a[name], b[name]))
  );
}

function regexOf(pattern) {
  try {
    return new RegExp(pattern, 'u');
  } catch {
    return null;
  }
}

function short(value) {
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

export const EXAMPLE_SCHEMA = `{
  "type": "object",
  "properties": {
    "city": {"type": "string"},
    "country": {"type": "string"},
    "population": {"type": "integer", "minimum": 0}
  },
  "required": ["city", "country", "population"],
  "additionalProperties": false
}`;
