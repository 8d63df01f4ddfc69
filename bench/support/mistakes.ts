/** Runs a command; a wrong option ends it with its message alone, anything else with its stack. */
export async function mistakesByName(command: () => Promise<unknown>): Promise<void> {
  try {
    await command();
  } catch (error) {
    const usage =
      error instanceof RangeError ||
      (error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS'));
    if (!usage) throw error;
    console.error(error.message);
    process.exitCode = 2;
  }
}
