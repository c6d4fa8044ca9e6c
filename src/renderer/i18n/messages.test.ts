import { describe, expect, test } from 'vitest';
import { STAGES } from '../../core/errors.ts';
import type { Language } from '../../shared/ipc.ts';
import { ERROR_WORDS } from './error-codes.ts';
import { errorText } from './error-texts.ts';
import { fill, MESSAGES, translator } from './translate.ts';
import { guessLanguage } from './use-i18n.ts';

const LANGUAGES: readonly Language[] = ['en', 'zh-CN', 'de'];
const placeholders = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort();

describe.each(LANGUAGES)('messages in %s', (language) => {
  const messages: Readonly<Record<string, string>> = MESSAGES[language];

  test('has exactly the English keys', () => {
    expect(Object.keys(messages).sort()).toEqual(Object.keys(MESSAGES.en).sort());
  });

  test('says something everywhere, with the same placeholders', () => {
    for (const [key, english] of Object.entries(MESSAGES.en)) {
      const text = messages[key] ?? '';
      expect(text.trim(), key).not.toBe('');
      expect(placeholders(text), key).toEqual(placeholders(english));
    }
  });

  test('has a title for every stage and every known code', () => {
    for (const stage of STAGES)
      expect(errorText(language, { code: 'NEW', stage, message: 'm', hint: 'h' })).toEqual({
        title: expect.stringMatching(/\S/),
        hint: 'h',
      });
    for (const code of ERROR_WORDS.keys()) {
      const text = errorText(language, { code, stage: 'session', message: 'm', hint: 'English hint' });
      expect(text.title, code).toMatch(/\S/);
      if (language === 'en') expect(text.hint).toBe('English hint');
      else expect(text.hint, code).not.toBe('English hint');
    }
  });
});

test('Chinese and German are not left in English', () => {
  // Names, units and words that are the same in the language.
  const same =
    /^(LiteDesk|ID|Port|Server|Status|Offline|Codec|Bitrate|Terminal|Version \{version\}|\{name\} – LiteDesk|System|Relay|Name|Ports|Router|Code)$/;
  for (const language of ['zh-CN', 'de'] as const) {
    const messages: Readonly<Record<string, string>> = MESSAGES[language];
    for (const [key, english] of Object.entries(MESSAGES.en))
      if (!same.test(english)) expect(messages[key], `${language} ${key}`).not.toBe(english);
  }
});

test('translates and fills in', () => {
  expect(translator('de')('connect.to', { name: 'Anna' })).toBe('Mit Anna verbinden');
  expect(fill('{a} and {b} and {toString}', { a: 1 })).toBe('1 and {b} and {toString}');
});

test.each([
  ['zh-TW', 'zh-CN'],
  ['de-AT', 'de'],
  ['fr', 'en'],
])('a system in %s starts in %s', (tag, language) => {
  expect(guessLanguage(tag)).toBe(language);
});
