import type { HomeState, NatFactName } from '../../shared/ipc.ts';
import type { PlainKey } from '../i18n/translate.ts';
import { useI18n } from '../i18n/use-i18n.ts';
import styles from './home.module.css';

/** In the order in which they are shown. */
const FACTS: Readonly<Record<NatFactName, PlainKey>> = {
  udp: 'network.udp',
  tcp: 'network.tcp',
  'tcp-to-other-ports': 'network.tcpToOtherPorts',
  'ipv4-translated': 'network.ipv4Translated',
  'second-nat-outside': 'network.secondNatOutside',
  ipv6: 'network.ipv6',
  'port-kept': 'network.portKept',
  'mapping-varies-by-port': 'network.mappingVariesByPort',
  'mapping-varies-by-address': 'network.mappingVariesByAddress',
  'tcp-mapping-varies-by-port': 'network.tcpMappingVariesByPort',
  'answers-from-another-port-come-in': 'network.answersFromAnotherPortComeIn',
  'answers-from-another-address-come-in': 'network.answersFromAnotherAddressComeIn',
  'tcp-from-another-port-comes-in': 'network.tcpFromAnotherPortComesIn',
  'tcp-from-another-address-comes-in': 'network.tcpFromAnotherAddressComesIn',
  hairpin: 'network.hairpin',
  'port-mapping': 'network.portMapping',
};

const VALUES = { yes: 'network.yes', no: 'network.no', 'not-tested': 'network.notTested' } as const;

/** Every single thing that the test of the network found out, for whoever wants to know. */
export function NetworkFacts({ facts }: { facts: NonNullable<HomeState['natFacts']> }) {
  const { t } = useI18n();
  return (
    <details className={styles.details} data-testid="network-facts">
      <summary>{t('network.details')}</summary>
      <dl className={styles.networkFacts}>
        {(Object.keys(FACTS) as NatFactName[]).map((name) => (
          <div key={name} className={styles.factPair} data-fact={name} data-value={facts[name]}>
            <dt>{t(FACTS[name])}</dt>
            <dd>{t(VALUES[facts[name] ?? 'not-tested'])}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}
