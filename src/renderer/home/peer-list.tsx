import type { ReactNode } from 'react';
import { useI18n } from '../i18n/use-i18n.ts';
import { Icon } from '../ui/icons.tsx';
import { formatId } from './format-id.ts';
import styles from './home.module.css';

interface PeerRowProps {
  id: string;
  name: string;
  platform: string;
  detail: ReactNode;
  onConnect: () => void;
  action?: ReactNode;
}

/** One computer in a list: the whole row connects. */
export function PeerRow({ id, name, platform, detail, onConnect, action }: PeerRowProps) {
  const { t } = useI18n();
  const title = name === '' ? formatId(id) : name;
  return (
    <li className={styles.peer}>
      <button
        type="button"
        className={styles.peerButton}
        onClick={onConnect}
        title={t('connect.to', { name: title })}
        data-testid="peer-connect"
        data-peer={id}
      >
        <span className={styles.peerIcon}>
          <Icon name="monitor" />
        </span>
        <span className={styles.peerBody}>
          <span className={styles.peerName}>{title}</span>
          <span className={styles.peerDetail}>
            {name !== '' && <span className={styles.peerId}>{formatId(id)}</span>}
            {platform !== '' && <span>{platform}</span>}
            {detail}
          </span>
        </span>
      </button>
      {action}
    </li>
  );
}
