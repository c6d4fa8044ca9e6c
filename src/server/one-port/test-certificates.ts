/** Certificates of tests: self-signed, good for a hundred years, and for nothing else. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface TestCertificate {
  readonly name: string;
  readonly cert: string;
  readonly key: string;
}

/** Writes it as `name`.crt and `name`.key into a folder, over what was there, as `--tls-cert` and `--tls-key` want it. */
export function writeCertificate(
  directory: string,
  certificate = FIRST_CERTIFICATE,
  name = 'tls',
): { certFile: string; keyFile: string } {
  const files = { certFile: join(directory, `${name}.crt`), keyFile: join(directory, `${name}.key`) };
  writeFileSync(files.certFile, certificate.cert);
  writeFileSync(files.keyFile, certificate.key);
  return files;
}

export const FIRST_CERTIFICATE: TestCertificate = {
  name: 'one.desk.example',
  cert: `-----BEGIN CERTIFICATE-----
MIIBqjCCAVCgAwIBAgIUSwWMUj4jC63JW3GtxOxX4pP2oNYwCgYIKoZIzj0EAwIw
GzEZMBcGA1UEAwwQb25lLmRlc2suZXhhbXBsZTAgFw0yNjExMjExNjMyNTZaGA8y
MTI2MTAyODE2MzI1NlowGzEZMBcGA1UEAwwQb25lLmRlc2suZXhhbXBsZTBZMBMG
ByqGSM49AgEGCCqGSM49AwEHA0IABHz47jYV0qBQcd2ykRwFZt7EzBxVve5VyV6n
rhECyr4vlX6g5Lq6CMWVjHX6comkZO8kn9jtskm7q021ejkTy3SjcDBuMB0GA1Ud
DgQWBBQlm9Z7F2SbXM2AWOOZzL+Igh2LMjAfBgNVHSMEGDAWgBQlm9Z7F2SbXM2A
WOOZzL+Igh2LMjAPBgNVHRMBAf8EBTADAQH/MBsGA1UdEQQUMBKCEG9uZS5kZXNr
LmV4YW1wbGUwCgYIKoZIzj0EAwIDSAAwRQIhANSWJIlz265DkCm0sgBPc8u42uga
jhWBODCNMFWGq5l3AiBQ4ulI1UuyJKOu+Wox+eVbt9ezaIKlJoLE2zUQ+hvF9g==
-----END CERTIFICATE-----
`,
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgrkewxTPFpO/k0MTB
gFPK4aHX91BGh+VROC8FgsYgUIihRANCAAR8+O42FdKgUHHdspEcBWbexMwcVb3u
Vclep64RAsq+L5V+oOS6ugjFlYx1+nKJpGTvJJ/Y7bJJu6tNtXo5E8t0
-----END PRIVATE KEY-----
`,
};

export const SECOND_CERTIFICATE: TestCertificate = {
  name: 'two.desk.example',
  cert: `-----BEGIN CERTIFICATE-----
MIIBqTCCAVCgAwIBAgIUDsJwLvY8F5e4qPAG4mdPXLG1ENAwCgYIKoZIzj0EAwIw
GzEZMBcGA1UEAwwQdHdvLmRlc2suZXhhbXBsZTAgFw0yNjExMjExNjMyNTdaGA8y
MTI2MTAyODE2MzI1N1owGzEZMBcGA1UEAwwQdHdvLmRlc2suZXhhbXBsZTBZMBMG
ByqGSM49AgEGCCqGSM49AwEHA0IABERBCqOb61RA9maGUpjFHvBcz/au3pFxz0kd
dPLIlMxwHVqN/Y6IVhZPwoo1oY6mn/+aTbJEmftoGwsHHO2lW/ijcDBuMB0GA1Ud
DgQWBBQu8KZ+Hf3u7wEFCtJtsWYldBLphDAfBgNVHSMEGDAWgBQu8KZ+Hf3u7wEF
CtJtsWYldBLphDAPBgNVHRMBAf8EBTADAQH/MBsGA1UdEQQUMBKCEHR3by5kZXNr
LmV4YW1wbGUwCgYIKoZIzj0EAwIDRwAwRAIgY3s4/AsTU75ybk+yEYJzvGdpJMPL
27HHQCmkEnAb1EQCICGupCQi+iN6RzvhUMYZ5hN9OlCiRc11xEwy5937cv3N
-----END CERTIFICATE-----
`,
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgHnyCoejIvG2qu4lM
AQ12vTZMffaiK9AqKDOMjzG5KIehRANCAAREQQqjm+tUQPZmhlKYxR7wXM/2rt6R
cc9JHXTyyJTMcB1ajf2OiFYWT8KKNaGOpp//mk2yRJn7aBsLBxztpVv4
-----END PRIVATE KEY-----
`,
};
