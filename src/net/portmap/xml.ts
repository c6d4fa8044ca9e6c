/**
 * A reader for the little XML that gateways speak: elements and text. Attributes are passed over, prefixes of names are cut
 * off. What a device description never has is an error: document types and with them entities, deep or endless nesting.
 */
import { WireError } from '../../core/errors.ts';

export interface XmlElement {
  /** Without a prefix. */
  readonly name: string;
  /** Its own text, trimmed. */
  readonly text: string;
  readonly children: readonly XmlElement[];
}

/** A description of a gateway has some 3 KiB, its longest text a URL. */
export const MAX_XML_CHARS = 64 * 1024;
const MAX_DEPTH = 24;
const MAX_ELEMENTS = 1_000;
const MAX_TEXT_CHARS = 2_048;

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };
const NAME = /^[A-Za-z_][\w.-]*(?::[A-Za-z_][\w.-]*)?$/;

interface Open {
  readonly qualified: string;
  readonly children: XmlElement[];
  text: string;
}

/** Reads a document. Throws WireError for what is no XML, or more than a gateway has to say. */
export function readXml(source: string): XmlElement {
  if (source.length > MAX_XML_CHARS) throw bad('too long');
  const top: Open = { qualified: '', children: [], text: '' };
  const open: Open[] = [top];
  let elements = 0;
  let at = 0;
  const skipTo = (end: string): void => {
    const found = source.indexOf(end, at);
    if (found < 0) throw bad(`no ${end}`);
    at = found + end.length;
  };
  const current = (): Open => open[open.length - 1] ?? top;
  const addText = (text: string): void => {
    const element = current();
    if (element.text.length + text.length > MAX_TEXT_CHARS) throw bad('a text that is too long');
    element.text += text;
  };
  while (at < source.length) {
    const next = source.indexOf('<', at);
    addText(unescapeXml(source.slice(at, next < 0 ? undefined : next)));
    if (next < 0) break;
    at = next;
    if (source.startsWith('<?', at)) skipTo('?>');
    else if (source.startsWith('<!--', at)) skipTo('-->');
    else if (source.startsWith('<![CDATA[', at)) {
      const from = at + 9;
      skipTo(']]>');
      addText(source.slice(from, at - 3));
    } else if (source.startsWith('<!', at)) throw bad('a document type');
    else if (source.startsWith('</', at)) {
      const from = at + 2;
      skipTo('>');
      const element = open.pop();
      if (open.length === 0 || element?.qualified !== source.slice(from, at - 1).trim()) throw bad('tags that do not match');
      current().children.push(finish(element));
    } else {
      const { name, empty, end } = readTag(source, at);
      at = end;
      if (++elements > MAX_ELEMENTS) throw bad('too many elements');
      const element: Open = { qualified: name, children: [], text: '' };
      if (empty) current().children.push(finish(element));
      else if (open.push(element) > MAX_DEPTH) throw bad('too deep');
    }
  }
  const [root, second] = top.children;
  if (open.length !== 1 || root === undefined || second !== undefined || top.text.trim() !== '') throw bad('not one element');
  return root;
}

/** All elements of that name, in the order of the document. */
export function findAll(element: XmlElement, name: string): XmlElement[] {
  return element.children.flatMap((child) => [...(child.name === name ? [child] : []), ...findAll(child, name)]);
}

/** The text of a child of that name, or ''. */
export function childText(element: XmlElement, name: string): string {
  return element.children.find((child) => child.name === name)?.text ?? '';
}

export function escapeXml(text: string): string {
  return text.replace(/[<>&"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

function finish({ qualified, text, children }: Open): XmlElement {
  return { name: qualified.slice(qualified.indexOf(':') + 1), text: text.trim(), children };
}

/** The tag that starts at `from`: a `>` within quotes does not end it. */
function readTag(source: string, from: number): { name: string; empty: boolean; end: number } {
  let quote = '';
  for (let at = from + 1; at < source.length; at++) {
    const character = source.charAt(at);
    if (quote !== '') {
      if (character === quote) quote = '';
    } else if (character === '"' || character === "'") quote = character;
    else if (character === '<') break;
    else if (character === '>') {
      const empty = source.charAt(at - 1) === '/';
      const name = /^[^\s/]*/.exec(source.slice(from + 1, empty ? at - 1 : at))?.[0] ?? '';
      if (!NAME.test(name)) throw bad('a tag without a name');
      return { name, empty, end: at + 1 };
    }
  }
  throw bad('a tag without an end');
}

function unescapeXml(text: string): string {
  return text.replace(/&([^;&]{0,10});?/g, (_, entity: string) => {
    const number = /^#(?:x([0-9a-f]{1,6})|(\d{1,7}))$/i.exec(entity);
    const code = number ? Number.parseInt(number[1] ?? number[2] ?? '', number[1] === undefined ? 10 : 16) : -1;
    const character = number && code <= 0x10ffff ? String.fromCodePoint(code) : ENTITIES[entity];
    if (character === undefined) throw bad('an unknown entity');
    return character;
  });
}

function bad(what: string): WireError {
  return new WireError('BAD_XML', `not the XML of a gateway: ${what}`);
}
