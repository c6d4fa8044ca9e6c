import { type ReactNode, useId } from 'react';
import { Icon, type IconName } from '../ui/icons.tsx';
import styles from './panel.module.css';

interface PanelProps {
  title: string;
  icon: IconName;
  tone?: 'calm' | 'danger';
  children: ReactNode;
  'data-testid'?: string;
}

/** The card in the middle of a session window while there is something to wait for, to answer or to know. */
export function Panel({ title, icon, tone = 'calm', children, ...rest }: PanelProps) {
  const id = useId();
  return (
    <div className={styles.overlay}>
      <section className={styles.panel} data-tone={tone} aria-labelledby={id} {...rest}>
        <span className={styles.panelIcon}>
          <Icon name={icon} />
        </span>
        <h1 id={id} className={styles.panelTitle}>
          {title}
        </h1>
        {children}
      </section>
    </div>
  );
}
