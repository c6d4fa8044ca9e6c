export { noPortMapping, portRefused } from './errors.ts';
export { GatewayPorts } from './gateway-ports.ts';
export { PortMapper, type PortMapperOptions } from './port-mapper.ts';
export {
  type Gateway,
  type MappedProtocol,
  type MapperNetwork,
  type Mapping,
  MAPPING_VIAS,
  type MappingVia,
  type PortMapReport,
  type ViaReport,
  type ViaState,
} from './types.ts';
