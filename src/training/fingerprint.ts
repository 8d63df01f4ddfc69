import type { Sample } from '../data/dataset.ts';

/** What identifies a list of samples, wherever their files lie: a digest over domain, class and last part of each name. */
export async function fingerprint(samples: readonly Sample[]): Promise<string> {
  const lines = samples.map((sample) => `${sample.domain}/${sample.className}/${sample.name.split(/[\\/]/).at(-1)}`);
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(lines.join('\n'))));
  return [...digest.subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
