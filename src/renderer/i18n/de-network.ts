/** German of what is known of the network that this computer is in. */
import type { enNetwork } from './en-network.ts';
import type { Wording } from './translate.ts';

export const deNetwork: Wording<typeof enNetwork> = {
  'network.details': 'Einzelheiten',
  'network.yes': 'ja',
  'network.no': 'nein',
  'network.notTested': 'nicht geprüft',
  'nat.onePort': 'Alles geht über das Relay',
  'nat.onePortHint': 'Dieses Netz lässt nur Verbindungen zu dem einen Port des Servers hinaus.',
  'network.udp': 'UDP zum Server',
  'network.tcp': 'TCP zum Server',
  'network.tcpToOtherPorts': 'TCP zu seinen anderen Ports',
  'network.ipv4Translated': 'Hinter einem Router, der Adressen umsetzt (NAT)',
  'network.secondNatOutside': 'Ein zweites NAT beim Anbieter',
  'network.ipv6': 'Eine eigene IPv6-Adresse',
  'network.portKept': 'Der Router behält die Portnummer',
  'network.mappingVariesByPort': 'Anderer Port je Port der Gegenstelle',
  'network.mappingVariesByAddress': 'Anderer Port je Adresse der Gegenstelle',
  'network.tcpMappingVariesByPort': 'Dasselbe über TCP',
  'network.answersFromAnotherPortComeIn': 'UDP von einem anderen Port kommt herein',
  'network.answersFromAnotherAddressComeIn': 'UDP von einer anderen Adresse kommt herein',
  'network.tcpFromAnotherPortComesIn': 'TCP von einem anderen Port kommt herein',
  'network.tcpFromAnotherAddressComesIn': 'TCP von einer anderen Adresse kommt herein',
  'network.hairpin': 'Der Router führt seine eigene Außenadresse zurück',
  'network.portMapping': 'Der Router öffnet Ports auf Anfrage',
};
