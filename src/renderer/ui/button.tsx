import type { ButtonHTMLAttributes } from 'react';
import styles from './button.module.css';
import { Icon, type IconName } from './icons.tsx';

type Look = 'primary' | 'plain' | 'quiet' | 'danger';

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  look?: Look;
  icon?: IconName;
  /** With an icon and without children: what screen readers say and the tooltip shows. */
  label?: string;
  'data-testid'?: string;
}

export function Button({ look = 'plain', icon, label, children, className, ...rest }: ButtonProps) {
  const iconOnly = children === undefined;
  const classes = [styles.button, styles[look], iconOnly ? styles.iconOnly : '', className ?? ''];
  return (
    <button
      type="button"
      {...rest}
      className={classes.join(' ')}
      aria-label={iconOnly ? label : undefined}
      title={label}
    >
      {icon !== undefined && <Icon name={icon} />}
      {children !== undefined && <span className={styles.text}>{children}</span>}
    </button>
  );
}
