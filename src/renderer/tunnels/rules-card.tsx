import { useState } from 'react';
import type { RecentPeer } from '../../shared/ipc.ts';
import type { AccessRule } from '../../shared/tunnels.ts';
import { api } from '../api.ts';
import home from '../home/home.module.css';
import type { Run } from '../home/home-window.tsx';
import { useI18n } from '../i18n/use-i18n.ts';
import { Button } from '../ui/button.tsx';
import { Icon } from '../ui/icons.tsx';
import { RuleDialog } from './rule-dialog.tsx';
import { isWide, ruleSentence } from './rule-form.ts';
import styles from './tunnels.module.css';

interface RulesCardProps {
  rules: readonly AccessRule[];
  recentPeers: readonly RecentPeer[];
  nameOfPeer: (id: string) => string;
  run: Run;
}

/** The other direction: what this computer opens to those who sign in, each rule as a sentence. */
export function RulesCard({ rules, recentPeers, nameOfPeer, run }: RulesCardProps) {
  const { t } = useI18n();
  const [adding, setAdding] = useState(false);
  return (
    <section className={home.card} aria-labelledby="rules-title">
      <div className={styles.head}>
        <div>
          <h2 id="rules-title" className={home.cardTitle}>
            {t('rules.title')}
          </h2>
          <p className={styles.intro}>{rules.length === 0 ? t('rules.empty') : t('rules.intro')}</p>
        </div>
        <Button icon="plus" aria-haspopup="dialog" onClick={() => setAdding(true)} data-testid="rule-add">
          {t('rules.add')}
        </Button>
      </div>
      {rules.length > 0 && (
        <ul className={styles.rules} data-testid="rules">
          {rules.map((rule) => {
            const sentence = ruleSentence(rule, t, nameOfPeer);
            return (
              <li key={rule.id} className={styles.rule}>
                <Icon name="shield" />
                <span className={styles.sentence}>{sentence}</span>
                {isWide(rule) && <span className={styles.wide}>{t('rules.wide')}</span>}
                <Button
                  look="quiet"
                  icon="trash"
                  label={t('rules.remove', { rule: sentence })}
                  onClick={() => void run(api().removeRule(rule.id))}
                  data-testid="rule-remove"
                />
              </li>
            );
          })}
        </ul>
      )}
      {adding && <RuleDialog recentPeers={recentPeers} onClose={() => setAdding(false)} />}
    </section>
  );
}
