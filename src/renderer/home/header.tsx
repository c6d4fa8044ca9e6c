import { useI18n } from '../i18n/use-i18n.ts';
import { Button } from '../ui/button.tsx';
import { Icon } from '../ui/icons.tsx';
import styles from './header.module.css';

/** The pages of the window, in the order of its navigation. */
const PAGES = [
  { page: 'home', icon: 'home' },
  { page: 'tunnels', icon: 'tunnel' },
] as const;
export type Page = (typeof PAGES)[number]['page'];

interface HeaderProps {
  page: Page;
  onPage: (page: Page) => void;
  onSettings: () => void;
}

export function Header({ page, onPage, onSettings }: HeaderProps) {
  const { t } = useI18n();
  return (
    <header className={styles.header}>
      <h1 className={styles.brand}>
        <span className={styles.mark} aria-hidden="true" />
        LiteDesk
      </h1>
      <nav className={styles.nav} aria-label={t('nav.label')}>
        {PAGES.map((each) => (
          <button
            key={each.page}
            type="button"
            className={styles.navItem}
            aria-current={page === each.page ? 'page' : undefined}
            onClick={() => onPage(each.page)}
            data-testid={`nav-${each.page}`}
          >
            <Icon name={each.icon} />
            {t(`nav.${each.page}`)}
          </button>
        ))}
      </nav>
      <Button look="quiet" icon="settings" aria-haspopup="dialog" data-testid="settings-open" onClick={onSettings}>
        {t('home.settings')}
      </Button>
    </header>
  );
}
