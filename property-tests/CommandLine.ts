/**
 * The frame of every command of this room: settings are read, or a mistake is said with the usage, and the exit code is 2.
 * It never knows what a command does or which options it has.
 * One frame, because people and scripts rely on help and exit codes being the same everywhere.
 */

/** What `read` makes of the arguments; or the exit code, when help was asked for or something was not understood. */
export const settingsOf = <S extends object>(
  args: ReadonlyArray<string>,
  read: (args: ReadonlyArray<string>) => S | "help",
  usage: string
): S | number => {
  try {
    const settings = read(args)
    if (settings !== "help") return settings
    process.stdout.write(usage)
    return 0
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`)
    return 2
  }
}
