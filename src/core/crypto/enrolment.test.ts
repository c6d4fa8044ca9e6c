import { beforeAll, expect, it } from 'vitest';
import { checkEnrolment, nameOfProof, newEnrolmentToken, proveEnrolment, tokenName, tokenVerifier } from './enrolment.ts';
import { initCrypto } from './sodium.ts';

const device = { id: '123456789', uuid: new Uint8Array(16).fill(1), pk: new Uint8Array(32).fill(2) };
const SERVER = 'OeVuKk5nlHiXp+APNn0Y3pC1Iwpwn44JGqrQCsWqmBw=';

beforeAll(() => initCrypto());

it('proves a token for one device at one server, and for nothing else', () => {
  const token = newEnrolmentToken();
  expect(token).toMatch(/^[\w-]{22}$/);
  const verifier = tokenVerifier(token);
  const proof = proveEnrolment(token, SERVER, device);
  expect(nameOfProof(proof)).toEqual(tokenName(verifier));
  expect(checkEnrolment(proof, verifier, SERVER, device)).toBe(true);
  for (const other of [{ ...device, id: '12345678' }, { ...device, uuid: device.pk }, { ...device, pk: device.uuid }])
    expect(checkEnrolment(proof, verifier, SERVER, other)).toBe(false);
  expect(checkEnrolment(proof, verifier, 'another key', device)).toBe(false);
  expect(checkEnrolment(proof, tokenVerifier(newEnrolmentToken()), SERVER, device)).toBe(false);
  expect(checkEnrolment(proof.subarray(1), verifier, SERVER, device)).toBe(false);
});

it('tells devices apart whose parts only differ in where they are cut', () => {
  const token = newEnrolmentToken();
  const proof = proveEnrolment(token, SERVER, { ...device, uuid: new Uint8Array([1, 2]), pk: new Uint8Array([3]) });
  const cut = { ...device, uuid: new Uint8Array([1]), pk: new Uint8Array([2, 3]) };
  expect(checkEnrolment(proof, tokenVerifier(token), SERVER, cut)).toBe(false);
});
