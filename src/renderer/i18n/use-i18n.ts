import type { ErrorData } from '../errors.ts';
import type { Language } from '../../shared/ipc.ts';
import { useHome } from '../state/home-store.ts';
import { type ErrorText, errorText } from './error-texts.ts';
import { type Translate, translator } from './translate.ts';

export interface I18n {
  language: Language;
  t: Translate;
  /** Localized words for an error; falls back to the English of the error itself. */
  errorText(error: ErrorData): ErrorText;
}

const cache = new Map<Language, I18n>();

/** The language of a system that the settings do not say yet. */
export function guessLanguage(tag: string): Language {
  const lower = tag.toLowerCase();
  if (lower.startsWith('zh')) return 'zh-CN';
  if (lower.startsWith('de')) return 'de';
  return 'en';
}

function i18nFor(language: Language): I18n {
  let i18n = cache.get(language);
  if (i18n === undefined) {
    i18n = { language, t: translator(language), errorText: (error) => errorText(language, error) };
    cache.set(language, i18n);
  }
  return i18n;
}

/** Words in the language of the settings; re-renders when it changes. */
export function useI18n(): I18n {
  const language = useHome((store) => store.home?.settings.language);
  return i18nFor(language ?? guessLanguage(navigator.language));
}
