/** Chinese of what is known of the network that this computer is in. */
import type { enNetwork } from './en-network.ts';
import type { Wording } from './translate.ts';

export const zhCNNetwork: Wording<typeof enNetwork> = {
  'network.details': '详细信息',
  'network.yes': '是',
  'network.no': '否',
  'network.notTested': '未检测',
  'nat.onePort': '全部经由中继',
  'nat.onePortHint': '此网络只允许连接到服务器的那一个端口。',
  'network.udp': '到服务器的 UDP',
  'network.tcp': '到服务器的 TCP',
  'network.tcpToOtherPorts': '到服务器其他端口的 TCP',
  'network.ipv4Translated': '位于地址转换路由器（NAT）之后',
  'network.secondNatOutside': '运营商侧还有一层 NAT',
  'network.ipv6': '拥有 IPv6 地址',
  'network.portKept': '路由器保持端口号',
  'network.mappingVariesByPort': '对端端口不同则换端口',
  'network.mappingVariesByAddress': '对端地址不同则换端口',
  'network.tcpMappingVariesByPort': 'TCP 也换端口',
  'network.answersFromAnotherPortComeIn': '可收到来自其他端口的 UDP',
  'network.answersFromAnotherAddressComeIn': '可收到来自其他地址的 UDP',
  'network.tcpFromAnotherPortComesIn': '可接受来自其他端口的 TCP',
  'network.tcpFromAnotherAddressComesIn': '可接受来自其他地址的 TCP',
  'network.hairpin': '路由器支持回环（hairpin）',
  'network.portMapping': '路由器可按请求开放端口',
};
