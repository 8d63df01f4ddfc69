#!/usr/bin/env node
// Starts the command from its TypeScript sources, through tsx, which translates them as they are loaded.
import { register } from 'tsx/esm/api';

register();
await import('../src/cli/main.ts');
