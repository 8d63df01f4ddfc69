import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';

/**
 * Deno's executable, out of npm's package for this system. A process of it speaks with its parent as one of Node does.
 */
export function denoExecutable(): string {
  const { platform, arch } = process;
  const name = { linux: `linux-${arch}-glibc`, darwin: `darwin-${arch}`, win32: `win32-${arch}` }[platform as string];
  const file = platform === 'win32' ? 'deno.exe' : 'deno';
  const found = createRequire(import.meta.url)
    .resolve.paths('deno')
    ?.map((folder) => `${folder}/@deno/${name}/${file}`)
    .find(existsSync);
  if (found === undefined)
    throw new Error(`npm's package deno has no executable for ${platform} on ${arch} in node_modules; run npm ci`);
  return found;
}
