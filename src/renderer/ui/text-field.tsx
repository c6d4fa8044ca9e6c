import { useId } from 'react';
import styles from './text-field.module.css';

interface TextFieldProps {
  label: string;
  /** Below the field; what is wrong when `invalid`. */
  hint?: string;
  value: string;
  onChange: (value: string) => void;
  testId: string;
  type?: 'text' | 'password';
  placeholder?: string;
  disabled?: boolean;
  invalid?: boolean;
  mono?: boolean;
  short?: boolean;
  autoFocus?: boolean;
  /** What is offered while typing. */
  suggestions?: readonly { value: string; label: string }[];
}

/** A labelled line of text with its hint. */
export function TextField(props: TextFieldProps) {
  const id = useId();
  const { hint = '', invalid = false, suggestions = [] } = props;
  const looks = ['field', props.mono === true ? styles.mono : '', props.short === true ? styles.short : ''];
  return (
    <div className={styles.row}>
      <label htmlFor={id} className={styles.label}>
        {props.label}
      </label>
      <input
        id={id}
        className={looks.join(' ')}
        type={props.type ?? 'text'}
        value={props.value}
        placeholder={props.placeholder}
        disabled={props.disabled}
        maxLength={1000}
        autoComplete={props.type === 'password' ? 'new-password' : 'off'}
        spellCheck={false}
        autoFocus={props.autoFocus}
        list={suggestions.length === 0 ? undefined : `${id}-list`}
        aria-invalid={invalid}
        aria-describedby={hint === '' ? undefined : `${id}-hint`}
        onChange={(event) => props.onChange(event.target.value)}
        data-testid={props.testId}
      />
      {suggestions.length > 0 && (
        <datalist id={`${id}-list`}>
          {suggestions.map(({ value, label }) => (
            <option key={value} value={value} label={label} />
          ))}
        </datalist>
      )}
      {hint !== '' && (
        <p id={`${id}-hint`} className={invalid ? styles.invalid : styles.hint}>
          {hint}
        </p>
      )}
    </div>
  );
}
