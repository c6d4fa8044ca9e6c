import type { ComponentProps } from 'react';
import type { PlainKey } from '../i18n/translate.ts';
import { useI18n } from '../i18n/use-i18n.ts';
import { TextField } from '../ui/text-field.tsx';

/** What every field of a form gets. */
export interface FormState<Form> {
  form: Form;
  set: (change: Partial<Form>) => void;
  /** What was wrong when the form was last sent. */
  problems: Partial<Record<keyof Form, PlainKey>>;
}

/** The fields that take any text. */
type TextName<Form> = { [Name in keyof Form]: string extends Form[Name] ? Name : never }[keyof Form];

type FormFieldProps<Form> = Omit<ComponentProps<typeof TextField>, 'value' | 'onChange' | 'invalid'> & {
  of: FormState<Form>;
  name: TextName<Form>;
};

/** One line of text of a form; what is wrong with it stands in the place of its hint. */
export function FormField<Form>({ of: { form, set, problems }, name, hint = '', ...looks }: FormFieldProps<Form>) {
  const { t } = useI18n();
  const problem: PlainKey | undefined = problems[name];
  return (
    <TextField
      {...looks}
      value={String(form[name])}
      onChange={(typed) => set({ [name]: typed } as unknown as Partial<Form>)}
      hint={problem === undefined ? hint : t(problem)}
      invalid={problem !== undefined}
    />
  );
}
