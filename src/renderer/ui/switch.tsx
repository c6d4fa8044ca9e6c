import { useId } from 'react';
import styles from './switch.module.css';

interface SwitchProps {
  label: string;
  hint?: string;
  checked: boolean;
  disabled?: boolean;
  onChange: (checked: boolean) => void;
  'data-testid'?: string;
}

export function Switch({ label, hint, checked, disabled = false, onChange, ...rest }: SwitchProps) {
  const id = useId();
  return (
    <div className={styles.row}>
      <div className={styles.words}>
        <label htmlFor={id} className={styles.label}>
          {label}
        </label>
        {hint !== undefined && (
          <p id={`${id}-hint`} className={styles.hint}>
            {hint}
          </p>
        )}
      </div>
      <input
        id={id}
        type="checkbox"
        role="switch"
        className={styles.switch}
        checked={checked}
        disabled={disabled}
        aria-describedby={hint === undefined ? undefined : `${id}-hint`}
        onChange={(event) => onChange(event.target.checked)}
        {...rest}
      />
    </div>
  );
}

/** The switch alone, where what it switches stands beside it already; `label` is for screen readers and the tooltip. */
export function Toggle({ label, checked, onChange, ...rest }: Omit<SwitchProps, 'hint' | 'disabled'>) {
  return (
    <input
      type="checkbox"
      role="switch"
      className={styles.switch}
      checked={checked}
      aria-label={label}
      title={label}
      onChange={(event) => onChange(event.target.checked)}
      {...rest}
    />
  );
}
